// Products of a few rows of floats by a kernel of 4-bit numbers in blocks of rows, each block and
// column with a scale and a zero point; and by one of bytes, each column with a scale.
//
// Few rows wait for memory, so the kernel stays as it lies, two neighbouring columns in a byte, and
// is made float in registers: even and odd columns are summed apart, and put side by side at the end.
#include "handler.h"

namespace {

using namespace nacre;

constexpr int kPairs = 2;                          // vectors of even columns, and of odd ones
constexpr int64_t kColumns = 2 * kPairs * kWidth;  // of a piece of work
constexpr double kWorthThreads = 1 << 17;          // products that a second thread is woken for

typedef uint8_t Bytes __attribute__((vector_size(kWidth)));
typedef uint8_t LooseBytes __attribute__((vector_size(kWidth), aligned(1), may_alias));
typedef uint16_t LooseShorts __attribute__((vector_size(kWidth * 2), aligned(1), may_alias));

struct Product {
  const float* x;        // (rows, features)
  const int8_t* packed;  // (features, bytes): the low half of a byte is the even column
  const float* scale;    // (blocks, columns)
  const int8_t* zero;    // the same
  float* result;         // (rows, columns)
  int64_t rows, features, columns, bytes, block;
};

// Bytes, each in 32 bits.
NACRE_INLINE Integers widened(const int8_t* from) {
  const auto* bytes = reinterpret_cast<const LooseBytes*>(from);
#if defined(__AVX512F__) || defined(__AVX2__)
  Integers wide;  // GCC 12 would take a byte at a time
  asm("vpmovzxbd %1, %0" : "=v"(wide) : "m"(*bytes));
  return wide;
#else
  const Bytes read = *bytes;
  return __builtin_convertvector(read, Integers);
#endif
}

// Two neighbours in each lane: the zero points of an even and an odd column.
NACRE_INLINE Integers widened_pairs(const int8_t* from) {
  const auto* pairs = reinterpret_cast<const LooseShorts*>(from);
#if defined(__AVX512F__) || defined(__AVX2__)
  Integers wide;
  asm("vpmovzxwd %1, %0" : "=v"(wide) : "m"(*pairs));
  return wide;
#else
  const auto read = *pairs;
  return __builtin_convertvector(read, Integers);
#endif
}

NACRE_INLINE Vector floats(Integers whole) { return __builtin_convertvector(whole, Vector); }

#if defined(__GNUC__) && !defined(__clang__)
// Every second number of two vectors, from the first or the second one on.
NACRE_INLINE Vector every_second(Vector low, Vector high, int from) {
  Integers lanes;
  for (int i = 0; i < kWidth; ++i) lanes[i] = 2 * i + from;
  return __builtin_shuffle(low, high, lanes);
}
// The first or the second half of two vectors whose numbers take turns.
NACRE_INLINE Vector in_turn(Vector even, Vector odd, int half) {
  Integers lanes;
  for (int i = 0; i < kWidth; ++i) lanes[i] = (i & 1) * kWidth + i / 2 + half * (kWidth / 2);
  return __builtin_shuffle(even, odd, lanes);
}
#else
NACRE_INLINE Vector every_second(Vector low, Vector high, int from) {
  Vector found{};
  for (int i = 0; i < kWidth; ++i) {
    const int at = 2 * i + from;
    found[i] = at < kWidth ? low[at] : high[at - kWidth];
  }
  return found;
}
NACRE_INLINE Vector in_turn(Vector even, Vector odd, int half) {
  Vector found{};
  for (int i = 0; i < kWidth; ++i) {
    const int at = i / 2 + half * (kWidth / 2);
    found[i] = i & 1 ? odd[at] : even[at];
  }
  return found;
}
#endif

// R rows by kColumns columns, all of which are there.
template <int R>
void whole_columns(const Product& m, int64_t row, int64_t column) {
  Vector totals[R][2 * kPairs] = {};
  for (int64_t k0 = 0, b = 0; k0 < m.features; k0 += m.block, ++b) {
    const int64_t end = std::min(m.features, k0 + m.block);
    Integers zeros[2 * kPairs];
#pragma GCC unroll 2
    for (int p = 0; p < kPairs; ++p) {
      const Integers both = widened_pairs(m.zero + b * m.columns + column + 2 * p * kWidth);
      zeros[2 * p] = both << 24 >> 24, zeros[2 * p + 1] = both << 16 >> 24;
    }
    Vector sums[R][2 * kPairs] = {};
    const int8_t* from = m.packed + k0 * m.bytes + column / 2;
    for (int64_t k = k0; k < end; ++k, from += m.bytes) {
      Vector numbers[2 * kPairs];
#pragma GCC unroll 2
      for (int p = 0; p < kPairs; ++p) {
        const Integers both = widened(from + p * kWidth);
        numbers[2 * p] = floats((both << 28 >> 28) - zeros[2 * p]);
        numbers[2 * p + 1] = floats((both << 24 >> 28) - zeros[2 * p + 1]);
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const Vector one = fill(m.x[(row + r) * m.features + k]);
#pragma GCC unroll 4
        for (int p = 0; p < 2 * kPairs; ++p) sums[r][p] += one * numbers[p];
      }
    }
    const float* scale = m.scale + b * m.columns + column;
#pragma GCC unroll 2
    for (int p = 0; p < kPairs; ++p) {
      const Vector low = load(scale + 2 * p * kWidth), high = load(scale + (2 * p + 1) * kWidth);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        totals[r][2 * p] += sums[r][2 * p] * every_second(low, high, 0);
        totals[r][2 * p + 1] += sums[r][2 * p + 1] * every_second(low, high, 1);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < kPairs; ++p)
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const int64_t at = column + (2 * p + half) * kWidth;
        const Vector y = in_turn(totals[r][2 * p], totals[r][2 * p + 1], half);
        store(m.result + (row + r) * m.columns + at, y);
      }
}

// The last columns, one by one.
void last_columns(const Product& m, int64_t column) {
  for (int64_t row = 0; row < m.rows; ++row)
    for (int64_t at = column; at < m.columns; ++at) {
      float total = 0;
      for (int64_t k0 = 0, b = 0; k0 < m.features; k0 += m.block, ++b) {
        const int64_t end = std::min(m.features, k0 + m.block);
        float sum = 0;
        for (int64_t k = k0; k < end; ++k) {
          const auto both = static_cast<uint32_t>(m.packed[k * m.bytes + at / 2]);
          const int32_t number = static_cast<int32_t>(both << (at & 1 ? 24 : 28)) >> 28;
          sum += m.x[row * m.features + k] * static_cast<float>(number - m.zero[b * m.columns + at]);
        }
        total += sum * m.scale[b * m.columns + at];
      }
      m.result[row * m.columns + at] = total;
    }
}

// Arguments: inputs (*batch, features), packed numbers (features, half of the units, rounded up),
// scale and zero points (blocks, units). Attribute: rows of a block. Result: (*batch, units).
void blocks_of_4_bits(const Call& call) {
  Product m{};
  m.features = call.size(1, 0), m.bytes = call.size(1, 1), m.columns = call.size(2, 1);
  m.block = call.attribute("block");
  m.rows = call.count(0) / m.features;
  m.x = call.argument(0), m.packed = call.argument<int8_t>(1), m.scale = call.argument(2);
  m.zero = call.argument<int8_t>(3);
  m.result = call.result(0);
  const int64_t whole = m.columns / kColumns;
  const auto piece = [&](int64_t i) {
    if (i == whole) return last_columns(m, i * kColumns);
    for (int64_t row = 0, count; row < m.rows; row += count) {
      const int64_t left = m.rows - row;
      count = left >= 4 && kRegisters == 32 ? 4 : left >= 2 ? 2 : 1;
      switch (count) {
        case 4: whole_columns<4>(m, row, i * kColumns); break;
        case 2: whole_columns<2>(m, row, i * kColumns); break;
        case 1: whole_columns<1>(m, row, i * kColumns); break;
      }
    }
  };
  const int64_t pieces = whole + (m.columns % kColumns > 0);
  const double work = static_cast<double>(m.rows) * m.features * m.columns;
  if (work >= kWorthThreads) return parallel(call, pieces, piece);
  for (int64_t i = 0; i < pieces; ++i) piece(i);
}

// R rows by kColumns columns of bytes, all of which are there.
template <int R>
void whole_columns_of_bytes(const Product& m, int64_t row, int64_t column) {
  constexpr int kVectors = 2 * kPairs;
  Vector sums[R][kVectors] = {};
  const int8_t* from = m.packed + column;
  for (int64_t k = 0; k < m.features; ++k, from += m.columns) {
    Vector numbers[kVectors];
#pragma GCC unroll 4
    for (int p = 0; p < kVectors; ++p)
      numbers[p] = floats(widened(from + p * kWidth) << 24 >> 24);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Vector one = fill(m.x[(row + r) * m.features + k]);
#pragma GCC unroll 4
      for (int p = 0; p < kVectors; ++p) sums[r][p] += one * numbers[p];
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int p = 0; p < kVectors; ++p) {
      const int64_t at = column + p * kWidth;
      store(m.result + (row + r) * m.columns + at, sums[r][p] / load(m.scale + at));
    }
}

// The last columns, one by one.
void last_columns_of_bytes(const Product& m, int64_t column) {
  for (int64_t row = 0; row < m.rows; ++row)
    for (int64_t at = column; at < m.columns; ++at) {
      float sum = 0;
      for (int64_t k = 0; k < m.features; ++k)
        sum += m.x[row * m.features + k] * static_cast<float>(m.packed[k * m.columns + at]);
      m.result[row * m.columns + at] = sum / m.scale[at];
    }
}

// Arguments: inputs (*batch, features), int8 numbers (features, units), scale (units,).
// Result: (*batch, units).
void columns_of_bytes(const Call& call) {
  Product m{};
  m.features = call.size(1, 0), m.columns = call.size(1, 1);
  m.rows = call.count(0) / m.features;
  m.x = call.argument(0), m.packed = call.argument<int8_t>(1), m.scale = call.argument(2);
  m.result = call.result(0);
  const int64_t whole = m.columns / kColumns;
  const auto piece = [&](int64_t i) {
    if (i == whole) return last_columns_of_bytes(m, i * kColumns);
    for (int64_t row = 0, count; row < m.rows; row += count) {
      const int64_t left = m.rows - row;
      count = left >= 4 && kRegisters == 32 ? 4 : left >= 2 ? 2 : 1;
      switch (count) {
        case 4: whole_columns_of_bytes<4>(m, row, i * kColumns); break;
        case 2: whole_columns_of_bytes<2>(m, row, i * kColumns); break;
        case 1: whole_columns_of_bytes<1>(m, row, i * kColumns); break;
      }
    }
  };
  const int64_t pieces = whole + (m.columns % kColumns > 0);
  const double work = static_cast<double>(m.rows) * m.features * m.columns;
  if (work >= kWorthThreads) return parallel(call, pieces, piece);
  for (int64_t i = 0; i < pieces; ++i) piece(i);
}

}  // namespace

NACRE_HANDLER(nibbles_bytes, columns_of_bytes)
NACRE_HANDLER(nibbles_product, blocks_of_4_bits)
