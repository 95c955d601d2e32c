// Products of matrices of floats, see `matrix.h`.
#include "matrix.h"

namespace {

using namespace nacre;

struct Floats {
  typedef float Number;
  static constexpr int kNumbers = 1;  // of a word

  static NACRE_INLINE Vector fill(const char* at) {
    return nacre::fill(*reinterpret_cast<const float*>(at));
  }
  static NACRE_INLINE Vector add(Vector sum, Vector one, Vector right) { return sum + one * right; }
  static NACRE_INLINE Vector add_numbers(Vector sum, Vector numbers) { return sum + numbers; }
  // Rows as they lie, of which `count` columns are left, into panel[row][column].
  static void pack(const float* from, int64_t from_stride, int64_t count, int64_t depth, float* panel,
                   int64_t stride) {
    constexpr int64_t kAhead = 16;  // rows lie on pages of their own, so that nobody else looks ahead
    for (int64_t k = 0; k < depth; ++k, from += from_stride, panel += stride)
      for (int64_t at = 0; at < stride; at += kWidth) {
        if (k + kAhead < depth) __builtin_prefetch(from + kAhead * from_stride + at);
        store(panel + at, load_part(from + at, std::max<int64_t>(0, count - at)));
      }
  }

  // The product of few rows by a transposed factor, where that is what it is.
  template <typename Function>
  static bool few_rows(const Call& call, int64_t samples, int64_t rows, int64_t depth,
                       const Function& product);
};

// --- few rows by a transposed factor -------------------------------------------------------------

constexpr int kTogether = 4;        // columns at a time
constexpr int64_t kDots = 64;       // columns of a piece of work
constexpr int64_t kFewRows = 16;    // so few do not pay for the packing,
constexpr int64_t kLong = 256;      // where a sum over the lanes is a small part of a dot product

NACRE_INLINE float sum_of(Vector x) {
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += x[i];
  return sum;
}

// R rows by `count` columns from `column` on, both read along the depth: each number is a dot product.
template <int R>
void dots(const Product<Floats>& m, int64_t row, int64_t column, int64_t count) {
  const float *left[R], *right[kTogether];
  for (int r = 0; r < R; ++r) left[r] = m.left.data + (row + r) * m.left.row_stride;
  for (int64_t c = 0; c < kTogether; ++c)  // of the last columns one several times
    right[c] = m.right.data + (column + std::min(c, count - 1)) * m.right.stride;
  Vector sums[R][kTogether] = {};
  const auto add = [&](int64_t k, int64_t there) __attribute__((always_inline)) {
    Vector factors[kTogether];
#pragma GCC unroll 4
    for (int c = 0; c < kTogether; ++c) factors[c] = load_part(right[c] + k, there);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const Vector one = load_part(left[r] + k, there);
#pragma GCC unroll 4
      for (int c = 0; c < kTogether; ++c) sums[r][c] += one * factors[c];
    }
  };
  int64_t k = 0;
  for (; k + kWidth <= m.depth; k += kWidth) add(k, kWidth);
  if (k < m.depth) add(k, m.depth - k);
  Vector kept[R][kTogether];  // for the loop below, whose indices are no constants
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < kTogether; ++c) kept[r][c] = sums[r][c];
  for (int r = 0; r < R; ++r)
    for (int64_t c = 0; c < count; ++c)
      m.result[(row + r) * m.columns + column + c] = sum_of(kept[r][c]);
}

template <typename Function>
bool Floats::few_rows(const Call& call, int64_t samples, int64_t rows, int64_t depth,
                      const Function& product) {
  if (rows == 0 || rows > kFewRows || depth < kLong || samples == 0) return false;
  const Products<Function> all{samples, product};
  constexpr int most = kRegisters == 32 ? kRows : 2;  // times kTogether sums stay in registers
  const int64_t pieces = pieces_of(all.product(0).columns, kDots);
  all.each_piece(call, pieces, [&](const Product<Floats>& m, int64_t piece) {
    const int64_t end = std::min(m.columns, (piece + 1) * kDots);
    for (int64_t column = piece * kDots; column < end; column += kTogether) {
      const int64_t count = std::min<int64_t>(kTogether, end - column);
      for (int64_t row = 0, rows; row < m.rows; row += rows) {
        const int64_t left = m.rows - row;
        rows = left >= most && left != 8 ? most : left >= 4 && most >= 4 ? 4 : left >= 2 ? 2 : 1;
        switch (rows) {
#if defined(__AVX512F__) || defined(__aarch64__)
          case 6: dots<6>(m, row, column, count); break;
          case 4: dots<4>(m, row, column, count); break;
#endif
          case 2: dots<2>(m, row, column, count); break;
          case 1: dots<1>(m, row, column, count); break;
        }
      }
    }
  });
  return true;
}

}  // namespace

NACRE_HANDLER(dense_forward, forward<Floats>)
NACRE_HANDLER(dense_input_gradient, input_gradient<Floats>)
NACRE_HANDLER(dense_kernel_gradient, kernel_gradient<Floats>)
