// Products of matrices of bfloat16, see `matrix.h`: two numbers that are neighbours along the depth are
// a word, and one instruction adds both products to a sum of float32. Sums are rounded to bfloat16
// when they are whole. Numbers below 1e-38 count as 0, as the instruction has it.
#include "matrix.h"

namespace {

using namespace nacre;

typedef uint16_t Shorts __attribute__((vector_size(kWidth * 2)));
typedef uint16_t LooseShorts __attribute__((vector_size(kWidth * 2), aligned(1), may_alias));
typedef uint32_t Words __attribute__((vector_size(kWidth * 4)));

// The first `count` numbers, 0 or more, each in 32 bits.
NACRE_INLINE Words widened(const uint16_t* from, int64_t count) {
  Shorts numbers{};
  if (__builtin_expect(count >= kWidth, 1)) {
    numbers = *reinterpret_cast<const LooseShorts*>(from);
  } else if (count > 0) {
    std::memcpy(&numbers, from, count * 2);
  }
#if defined(__AVX512F__)
  Words wide;  // GCC 12 would take a few numbers at a time
  asm("vpmovzxwd %1, %0" : "=v"(wide) : "v"(numbers));
  return wide;
#else
  return __builtin_convertvector(numbers, Words);
#endif
}

NACRE_INLINE Vector low(Vector words) { return (Vector)((Words)words << 16); }
NACRE_INLINE Vector high(Vector words) { return (Vector)((Words)words & 0xffff0000u); }

struct Halves {
  typedef uint16_t Number;
  static constexpr int kNumbers = 2;  // of a word

  static NACRE_INLINE Vector fill(const char* at) {
    uint32_t word;
    std::memcpy(&word, at, 4);
    return (Vector)(word - Words{});
  }
  static NACRE_INLINE Vector add(Vector sum, Vector one, Vector right) {
#if defined(__AVX512BF16__) && defined(__AVX512F__)
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(right), "v"(one));
    return sum;
#else
    return (sum + low(one) * low(right)) + high(one) * high(right);
#endif
  }
  static NACRE_INLINE Vector add_numbers(Vector sum, Vector words) {
    return (sum + low(words)) + high(words);
  }
  static NACRE_INLINE void store_part(Number* to, Vector value, int64_t count) {
    Shorts rounded;
#if defined(__AVX512BF16__) && defined(__AVX512F__)
    asm("vcvtneps2bf16 %1, %0" : "=v"(rounded) : "v"(value));
#else
    const Words bits = (Words)value;
    const Words even = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;  // to the nearest, ties to even
    rounded = __builtin_convertvector(value == value ? even : (bits >> 16) | 0x40u, Shorts);
#endif
    if (count >= kWidth) {
      *reinterpret_cast<LooseShorts*>(to) = rounded;
    } else {
      std::memcpy(to, &rounded, count * 2);
    }
  }

  // Two rows that are neighbours into one of words, of which `count` columns are left.
  static void pack(const Number* from, int64_t from_stride, int64_t count, int64_t depth, float* panel,
                   int64_t stride) {
    for (int64_t k = 0; k < depth; k += 2, from += 2 * from_stride, panel += stride) {
      const int64_t second = k + 1 < depth ? count : 0;
      for (int64_t at = 0; at < stride; at += kWidth) {
        const Words pair = widened(from + at, count - at) |
                           widened(from + from_stride + at, second - at) << 16;
        store(panel + at, (Vector)pair);
      }
    }
  }

  // Rows of a whole number of words, the last of which ends in 0.
  static void pad(const Number* from, int64_t from_stride, int64_t rows, int64_t depth, float* to,
                  int64_t words) {
    for (int64_t row = 0; row < rows; ++row, from += from_stride, to += words) {
      to[words - 1] = 0;
      std::memcpy(to, from, depth * 2);
    }
  }

  template <typename Function>
  static bool few_rows(const Call&, int64_t, int64_t, int64_t, const Function&) {
    return false;
  }
};

}  // namespace

NACRE_HANDLER(halves_forward, forward<Halves>)
NACRE_HANDLER(halves_input_gradient, input_gradient<Halves>)
NACRE_HANDLER(halves_kernel_gradient, kernel_gradient<Halves>)
