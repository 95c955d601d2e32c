// Products of 8-bit numbers, summed in 32-bit ints: rows of floats, rounded here, by a kernel of
// bytes with a scale for each of its columns; and plain products of bytes.
//
// The numbers of some neighbouring rows of the kernel that meet in one instruction, a group, lie side
// by side in a lane of 32 bits; so do those of a row of the left factor. A panel of a few vectors of
// columns is packed so where many rows pass by, and put together in registers where few do: then
// the kernel's bytes are read once and nothing is written. Sums of ints are exact in any order, and
// what is done in floats is done as the plain form does it, so both give the same bits.
#include "handler.h"

namespace {

using namespace nacre;

// --- what a processor has ------------------------------------------------------------------------

// One line of assembler each, as compilers differ in the names of these instructions.
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
#define NACRE_BYTES "vpdpbusd %2, %1, %0"
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define NACRE_BYTES "vpdpbusd %2, %1, %0"
#elif defined(__AVXVNNI__) && !defined(__AVX512F__)
#define NACRE_BYTES "%{vex%} vpdpbusd %2, %1, %0"
#elif defined(__AVX512BW__) || (defined(__AVX2__) && !defined(__AVX512F__))
#define NACRE_PAIRS "vpmaddwd %2, %1, %0"
#endif

#if defined(NACRE_BYTES)
// Four bytes, the kernel's without sign: 128 is added to each, and so 128 times the sum of the row.
constexpr int kGroup = 4, kShift = 128;
typedef int8_t Number;
NACRE_INLINE Integers add_products(Integers sum, Integers right, Integers left) {
  asm(NACRE_BYTES : "+v"(sum) : "v"(right), "v"(left));
  return sum;
}
#elif defined(__ARM_FEATURE_DOTPROD)
constexpr int kGroup = 4, kShift = 0;
typedef int8_t Number;
NACRE_INLINE Integers add_products(Integers sum, Integers right, Integers left) {
  asm("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(right), "w"(left));
  return sum;
}
#elif defined(NACRE_PAIRS)
// Two numbers of 16 bits: the instruction for bytes would cut sums of two products to 16 bits.
constexpr int kGroup = 2, kShift = 0;
typedef int16_t Number;
NACRE_INLINE Integers add_products(Integers sum, Integers right, Integers left) {
  Integers both;
  asm(NACRE_PAIRS : "=v"(both) : "v"(right), "v"(left));
  return sum + both;
}
#else
constexpr int kGroup = 1, kShift = 0;
typedef int32_t Number;
NACRE_INLINE Integers add_products(Integers sum, Integers right, Integers left) {
  return sum + right * left;
}
#endif

typedef int8_t Bytes __attribute__((vector_size(kWidth)));
typedef int8_t LooseBytes __attribute__((vector_size(kWidth), aligned(1), may_alias));
typedef int32_t LooseWords __attribute__((vector_size(kWidth * 4), aligned(1), may_alias));
typedef uint32_t Wrapping __attribute__((vector_size(kWidth * 4)));

constexpr int kVectors = kRegisters == 32 ? 4 : 2;  // vectors of a panel
constexpr int kRows = kRegisters == 32 ? 6 : 4;     // rows of a block: times kVectors sums
constexpr int64_t kColumns = kVectors * kWidth;     // columns of a panel
constexpr int kWide = kRegisters == 32 ? 4 : 2;     // panels of a block of one row
constexpr int64_t kPage = 4096;                     // bytes
constexpr int64_t kFewRows = 16, kNarrow = 256;     // several panels at once: rows, groups
constexpr int64_t kChunk = 252;                     // rows of a piece of work, in whole blocks
constexpr double kWorthThreads = 1 << 19;           // products that a second thread is woken for
constexpr double kWorthRounding = 1 << 16;          // floats to round, the same

int64_t pieces_of(int64_t size, int64_t piece) { return (size + piece - 1) / piece; }

// --- the left factor -----------------------------------------------------------------------------

// Rows as groups, each row a whole number of 32-bit words, with zeros behind its end.
struct Left {
  int32_t* words;
  int64_t groups;        // of a row
  float* scales;         // of the rows, where they were rounded
  int32_t* corrections;  // kShift · the sum of a row
};

// How a row of floats is rounded: round(x · high / (max |x| + epsilon)), cut to low ... high.
struct Rounding {
  float low, high, epsilon;
};

// A product as a float, where the compiler would put it and a sum after it together, with one rounding
// for both: halves would go another way than in the plain form.
NACRE_INLINE Vector rounded(Vector product) {
#if defined(__AVX__)
  asm("" : "+v"(product));
#elif defined(__SSE2__)
  asm("" : "+x"(product));
#elif defined(__aarch64__)
  asm("" : "+w"(product));
#else
  asm("" : "+m"(product));
#endif
  return product;
}

void close_row(const Left& left, int64_t row, int64_t depth, int32_t sum) {
  auto* to = reinterpret_cast<Number*>(left.words + row * left.groups);
  for (int64_t k = depth; k < left.groups * kGroup; ++k) to[k] = 0;
  left.corrections[row] = static_cast<int32_t>(kShift * static_cast<uint32_t>(sum));
}

void round_row(const float* x, int64_t depth, const Rounding& rounding, const Left& left,
               int64_t row) {
  typedef Number Small __attribute__((vector_size(kWidth * sizeof(Number)), aligned(1), may_alias));
  Vector most{};
  Integers is_number = Integers{} - 1;
  for (int64_t k = 0; k < depth; k += kWidth) {
    Vector v = load_part(x + k, depth - k);
    is_number &= v == v;
    v = (Vector)((Integers)v & 0x7fffffff);
    most = choose(v > most, v, most);
  }
  float largest = 0;
  bool has_nan = false;
  for (int i = 0; i < kWidth; ++i) largest = std::max(largest, most[i]), has_nan |= !is_number[i];
  float scale = rounding.high / (largest + rounding.epsilon);
  if (has_nan) scale = __builtin_nanf("");
  left.scales[row] = scale;
  auto* to = reinterpret_cast<Number*>(left.words + row * left.groups);
  // Infinity times a scale of 0 is no number, and none is a whole number: 0, as elsewhere.
  if (!(scale > 0 && scale < __builtin_inff())) {
    for (int64_t k = 0; k < depth; ++k) to[k] = 0;
    return close_row(left, row, depth, 0);
  }
  const float shift = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, ties to even
  Integers sums{};
  for (int64_t k = 0; k < depth; k += kWidth) {
    Vector v = rounded(load_part(x + k, depth - k) * scale);
    v = clamp((v + shift) - shift, rounding.low, rounding.high);
    const Integers whole = __builtin_convertvector(v, Integers);
    sums += whole;
    const auto small = __builtin_convertvector(whole, Small);
    if (depth - k >= kWidth) {
      *reinterpret_cast<Small*>(to + k) = small;
    } else {
      std::memcpy(to + k, &small, (depth - k) * sizeof(Number));
    }
  }
  int32_t sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += sums[i];
  close_row(left, row, depth, sum);
}

void copy_row(const int8_t* x, int64_t depth, const Left& left, int64_t row) {
  auto* to = reinterpret_cast<Number*>(left.words + row * left.groups);
  int32_t sum = 0;
  for (int64_t k = 0; k < depth; ++k) to[k] = x[k], sum += x[k];
  close_row(left, row, depth, sum);
}

// --- the right factor ----------------------------------------------------------------------------

// (depth, columns) in memory; (columns, depth) of a table.
struct Right {
  const int8_t* data;
  int64_t depth, columns;
};

// A vector of one row's numbers in the places of the group's number `at`.
NACRE_INLINE Integers placed(const int8_t* from, int at) {
#if defined(NACRE_BYTES) || defined(NACRE_PAIRS)
  Integers wide;  // GCC 12 would take a byte at a time
  asm("vpmovsxbd %1, %0" : "=v"(wide) : "m"(*reinterpret_cast<const LooseBytes*>(from)));
#else
  const Bytes bytes = *reinterpret_cast<const LooseBytes*>(from);
  const Integers wide = __builtin_convertvector(bytes, Integers);
#endif
  if (kGroup == 1) return wide;
  if (kGroup == 2) return at ? wide << 16 : wide & 0xffff;
  return at == 3 ? wide << 24 : (wide & 0xff) << (8 * at);
}

NACRE_INLINE Integers shifted(Integers group) {
  return kShift ? group ^ static_cast<int32_t>(0x80808080) : group;
}

// A whole group of a whole vector of columns.
NACRE_INLINE Integers group_of(const int8_t* from, int64_t stride) {
  Integers group{};
#pragma GCC unroll 4
  for (int at = 0; at < kGroup; ++at)
    group |= placed(from + at * stride, at);
  return shifted(group);
}

#if defined(NACRE_BYTES) && defined(__AVX512BW__)
// A panel's columns are in another order then, which `ordered` undoes: the exchanges are within each
// quarter of a vector, so that quarter q of vector p holds columns 16 q + 4 p on.
constexpr bool kQuarters = true;
NACRE_INLINE void groups_of(const int8_t* from, int64_t stride, Integers (&groups)[4]) {
  Integers rows[4], pairs[4];
#pragma GCC unroll 4
  for (int at = 0; at < 4; ++at)
    rows[at] = shifted(*reinterpret_cast<const LooseWords*>(from + at * stride));
#pragma GCC unroll 2
  for (int at = 0; at < 2; ++at) {
    asm("vpunpcklbw %2, %1, %0" : "=v"(pairs[at]) : "v"(rows[2 * at]), "v"(rows[2 * at + 1]));
    asm("vpunpckhbw %2, %1, %0" : "=v"(pairs[at + 2]) : "v"(rows[2 * at]), "v"(rows[2 * at + 1]));
  }
#pragma GCC unroll 2
  for (int at = 0; at < 4; at += 2) {
    asm("vpunpcklwd %2, %1, %0" : "=v"(groups[at]) : "v"(pairs[at]), "v"(pairs[at + 1]));
    asm("vpunpckhwd %2, %1, %0" : "=v"(groups[at + 1]) : "v"(pairs[at]), "v"(pairs[at + 1]));
  }
}
NACRE_INLINE void ordered(Integers (&sums)[4]) {
  Integers low[2], high[2];
#pragma GCC unroll 2
  for (int at = 0; at < 2; ++at) {
    asm("vshufi32x4 $0x44, %2, %1, %0" : "=v"(low[at]) : "v"(sums[2 * at]), "v"(sums[2 * at + 1]));
    asm("vshufi32x4 $0xee, %2, %1, %0" : "=v"(high[at]) : "v"(sums[2 * at]), "v"(sums[2 * at + 1]));
  }
  asm("vshufi32x4 $0x88, %2, %1, %0" : "=v"(sums[0]) : "v"(low[0]), "v"(low[1]));
  asm("vshufi32x4 $0xdd, %2, %1, %0" : "=v"(sums[1]) : "v"(low[0]), "v"(low[1]));
  asm("vshufi32x4 $0x88, %2, %1, %0" : "=v"(sums[2]) : "v"(high[0]), "v"(high[1]));
  asm("vshufi32x4 $0xdd, %2, %1, %0" : "=v"(sums[3]) : "v"(high[0]), "v"(high[1]));
}
#else
constexpr bool kQuarters = false;
#endif
template <int P>
NACRE_INLINE void groups_of(const int8_t* from, int64_t stride, Integers (&groups)[P]) {
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) groups[p] = group_of(from + p * kWidth, stride);
}
template <int P>
NACRE_INLINE void ordered(Integers (&)[P]) {}

// What is there of P groups: `rows` of them, of `count` columns; 0 elsewhere.
template <int P>
__attribute__((noinline)) void part_of_groups(const int8_t* from, int64_t stride, int64_t rows,
                                              int64_t count, int32_t* to) {
  int8_t bytes[kGroup][P * kWidth] = {};
  for (int64_t at = 0; at < std::min<int64_t>(rows, kGroup); ++at)
    std::memcpy(bytes[at], from + at * stride, std::min<int64_t>(count, P * kWidth));
  Integers groups[P];
  groups_of(bytes[0], P * kWidth, groups);
  for (int p = 0; p < P; ++p) *reinterpret_cast<LooseWords*>(to + p * kWidth) = groups[p];
}

// Whole panels beside each other, row by row: panels[panel][group][column].
void pack_together(const Right& right, int64_t first, int64_t groups, int64_t count,
                   int32_t* panels) {
  const int64_t stride = right.columns, size = groups * kColumns;
  const int8_t* from = right.data + first;
  for (int64_t g = 0; g < groups; ++g, from += kGroup * stride, panels += kColumns)
    for (int64_t w = 0; w < count; ++w) {
      int32_t* to = panels + w * size;
      const int64_t rows = right.depth - g * kGroup;
      if (rows < kGroup) {
        part_of_groups<kVectors>(from + w * kColumns, stride, rows, kColumns, to);
        continue;
      }
      Integers parts[kVectors];
      groups_of(from + w * kColumns, stride, parts);
#pragma GCC unroll 4
      for (int p = 0; p < kVectors; ++p) *reinterpret_cast<LooseWords*>(to + p * kWidth) = parts[p];
    }
}

// Columns from `first` on: panel[group][column].
template <int P>
void pack(const Right& right, int64_t first, int64_t groups, int32_t* panel) {
  constexpr int64_t kAhead = 16;  // rows lie on pages of their own, so that nobody else looks ahead
  const int64_t stride = right.columns, columns = right.columns - first;
  const int8_t* from = right.data + first;
  for (int64_t g = 0; g < groups; ++g, from += kGroup * stride, panel += P * kWidth) {
    const int64_t rows = right.depth - g * kGroup;
    if (rows < kGroup || columns < P * kWidth) {
      part_of_groups<P>(from, stride, rows, columns, panel);
      continue;
    }
    if (rows >= kGroup + kAhead)
#pragma GCC unroll 4
      for (int at = 0; at < kGroup; ++at) __builtin_prefetch(from + (kAhead + at) * stride);
    Integers parts[P];
    groups_of(from, stride, parts);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) *reinterpret_cast<LooseWords*>(panel + p * kWidth) = parts[p];
  }
}

// --- a product -----------------------------------------------------------------------------------

struct Product {
  Left left;
  Right right;
  int64_t rows;
  const float* scale;  // of the columns
  const float* bias;   // of the columns, or null
  float* floats;       // (rows, columns); null where ints are wanted
  int32_t* ints;       // the same, in their place
  bool is_table;       // each column of the kernel lies in a row of memory
};

// Sums less what a shift of the kernel has added; both may have passed 32 bits, as ints wrap.
NACRE_INLINE Integers corrected(const int32_t* sums, int32_t correction) {
  const auto given = (Wrapping) * reinterpret_cast<const LooseWords*>(sums);
  return (Integers)(given - static_cast<uint32_t>(correction));
}

// Sums of some vectors, as ints, or divided by the scales of their row and column.
__attribute__((noinline)) void put(const Product& m, int64_t row, int64_t column, int64_t vectors,
                                   const int32_t* sums) {
  const int32_t correction = m.left.corrections[row];
  const float scale = m.left.scales[row];
  const int64_t start = row * m.right.columns;
  const int64_t end = std::min(column + vectors * kWidth, m.right.columns);
  if (m.floats == nullptr) {
    for (; column < end; column += kWidth, sums += kWidth) {
      const Integers whole = corrected(sums, correction);
      const int64_t count = std::min<int64_t>(kWidth, end - column);
      std::memcpy(m.ints + start + column, &whole, count * sizeof(int32_t));
    }
    return;
  }
  for (; column + kWidth <= end; column += kWidth, sums += kWidth) {
    Vector y = __builtin_convertvector(corrected(sums, correction), Vector);
    y = y / (scale * load(m.scale + column));
    if (m.bias) y = y + load(m.bias + column);
    store(m.floats + start + column, y);
  }
  if (column == end) return;
  Vector y = __builtin_convertvector(corrected(sums, correction), Vector);
  y = y / (scale * load_some(m.scale + column, end - column));
  if (m.bias) y = y + load_some(m.bias + column, end - column);
  store_some(m.floats + start + column, y, end - column);
}

// Floats of some rows of whole vectors.
__attribute__((noinline)) void put_whole(const Product& m, int64_t row, int64_t column, int64_t rows,
                                         int64_t vectors, const int32_t* sums) {
  const int64_t stride = vectors * kWidth;
  for (int64_t p = 0; p < stride; p += kWidth) {
    const Vector scale = load(m.scale + column + p);
    const Vector bias = m.bias ? load(m.bias + column + p) : fill(-0.0f);  // adds nothing
    float* to = m.floats + row * m.right.columns + column + p;
    for (int64_t r = 0; r < rows; ++r, to += m.right.columns) {
      const Integers whole = corrected(sums + r * stride + p, m.left.corrections[row + r]);
      store(to, __builtin_convertvector(whole, Vector) / (m.left.scales[row + r] * scale) + bias);
    }
  }
}

// By way of memory, in loops of constants: where an index is none, GCC keeps sums there throughout.
template <int R, int P>
NACRE_INLINE void put_all(const Product& m, int64_t row, int64_t column, Integers (&sums)[R][P]) {
  int32_t kept[R][P * kWidth];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    ordered(sums[r]);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) *reinterpret_cast<LooseWords*>(kept[r] + p * kWidth) = sums[r][p];
  }
  if (m.floats && m.right.columns - column >= P * kWidth)
    return put_whole(m, row, column, R, P, kept[0]);
  for (int r = 0; r < R; ++r) put(m, row + r, column, P, kept[r]);
}

template <int R, int P>
NACRE_INLINE void add_group(const int32_t* left, int64_t stride, const Integers (&right)[P],
                            Integers (&sums)[R][P]) {
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    const Integers one = Integers{} + left[r * stride];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) sums[r][p] = add_products(sums[r][p], right[p], one);
  }
}

// R rows by a packed panel.
template <int R, int P>
void block(const Product& m, int64_t row, int64_t column, const int32_t* panel) {
  Integers sums[R][P] = {};
  const Left left = m.left;
  const int32_t* from = left.words + row * left.groups;
  for (int64_t g = 0; g < left.groups; ++g, panel += P * kWidth) {
    Integers right[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) right[p] = *reinterpret_cast<const LooseWords*>(panel + p * kWidth);
    add_group<R, P>(from + g, left.groups, right, sums);
  }
  put_all<R, P>(m, row, column, sums);
}

// R rows by W panels as they lie in the kernel, all of their columns there.
template <int R, int W>
void block_of_kernel(const Product& m, int64_t row, int64_t column) {
  constexpr int64_t kAhead = 32;  // rows; see `pack`
  Integers sums[W][R][kVectors] = {};
  const Left left = m.left;
  const int32_t* words = left.words + row * left.groups;
  const int64_t stride = m.right.columns, whole = m.right.depth / kGroup;
  const int8_t* from = m.right.data + column;
  for (int64_t g = 0; g < whole; ++g, from += kGroup * stride) {
    const bool looks_ahead = (g + 1) * kGroup + kAhead <= m.right.depth;
#pragma GCC unroll 4
    for (int w = 0; w < W; ++w) {
      if (looks_ahead)
#pragma GCC unroll 4
        for (int at = 0; at < kGroup; ++at)
          __builtin_prefetch(from + (kAhead + at) * stride + w * kColumns);
      Integers right[kVectors];
      groups_of(from + w * kColumns, stride, right);
      add_group<R, kVectors>(words + g, left.groups, right, sums[w]);
    }
  }
  if (whole < left.groups) {
#pragma GCC unroll 4
    for (int w = 0; w < W; ++w) {
      int32_t part[kColumns];
      part_of_groups<kVectors>(from + w * kColumns, stride, m.right.depth - whole * kGroup, kColumns,
                               part);
      Integers right[kVectors];
#pragma GCC unroll 4
      for (int p = 0; p < kVectors; ++p)
        right[p] = *reinterpret_cast<const LooseWords*>(part + p * kWidth);
      add_group<R, kVectors>(words + whole, left.groups, right, sums[w]);
    }
  }
#pragma GCC unroll 4
  for (int w = 0; w < W; ++w) put_all<R, kVectors>(m, row, column + w * kColumns, sums[w]);
}

template <int P>
void blocks(const Product& m, int64_t begin, int64_t end, int64_t column, const int32_t* panel) {
  for (int64_t row = begin, count; row < end; row += count) {
    const int64_t left = end - row;
    count = left == 8 ? 4 : left >= kRows ? kRows : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    switch (count) {
#if defined(__AVX512F__) || defined(__aarch64__)
      case 6: block<6, P>(m, row, column, panel); break;
#endif
      case 4: block<4, P>(m, row, column, panel); break;
      case 2: block<2, P>(m, row, column, panel); break;
      case 1: block<1, P>(m, row, column, panel); break;
    }
  }
}

template <int P>
void packed_piece(const Product& m, int64_t begin, int64_t end, int64_t column) {
  Scratch memory(m.left.groups * P * kWidth);
  auto* panel = reinterpret_cast<int32_t*>(memory.data());
  pack<P>(m.right, column, m.left.groups, panel);
  blocks<P>(m, begin, end, column, panel);
}

// Rows begin ... end of one panel.
void panel_piece(const Product& m, int64_t begin, int64_t end, int64_t column) {
  const int64_t columns = m.right.columns - column;
  switch (std::min<int64_t>(kVectors, pieces_of(columns, kWidth))) {
    case 1: return packed_piece<1>(m, begin, end, column);
    case 2: return packed_piece<2>(m, begin, end, column);
#if defined(__AVX512F__) || defined(__aarch64__)
    case 3:
    case 4: return packed_piece<4>(m, begin, end, column);
#endif
  }
}

// Of few rows several panels, as rows of the kernel may lie on pages of their own: 8 rows by
// (384, 8192) take half the time.
void wide_piece(const Product& m, int64_t begin, int64_t end, int64_t column) {
  const int64_t size = m.left.groups * kColumns;
  Scratch memory(kWide * size);
  auto* panels = reinterpret_cast<int32_t*>(memory.data());
  pack_together(m.right, column, m.left.groups, kWide, panels);
  for (int64_t w = 0; w < kWide; ++w)
    blocks<kVectors>(m, begin, end, column + w * kColumns, panels + w * size);
}

// Rows begin ... end of some panels.
void piece(const Product& m, int64_t begin, int64_t end, int64_t column, int64_t panels) {
  const int64_t rows = end - begin, last = std::min(m.right.columns, column + panels * kColumns);
  while (column < last) {
    const int64_t whole = (last - column) / kColumns;  // panels
    int64_t made = 1;
    const bool is_read_once = rows == 1 || ((rows == 2 || rows == 4) && m.right.columns < kPage);
    if (!is_read_once && whole >= kWide) {
      wide_piece(m, begin, end, column);
      made = kWide;
    } else if (whole == 0 || rows == 3 || rows > 4) {
      panel_piece(m, begin, end, column);
    } else if (rows == 4) {
      block_of_kernel<4, 1>(m, begin, column);
    } else if (rows == 2) {
      block_of_kernel<2, 1>(m, begin, column);
    } else if (whole < kWide) {
      block_of_kernel<1, 1>(m, begin, column);
    } else {
      block_of_kernel<1, kWide>(m, begin, column);
      made = kWide;
    }
    column += made * kColumns;
  }
}

// --- a table -------------------------------------------------------------------------------------

// The columns of a table lie in rows, as an embedding's do, and each is read as a vector of groups;
// the lanes of its sums are added up at the end, those of kWidth columns together.

constexpr int64_t kNumbers = kWidth * kGroup;  // in a vector of groups
constexpr int kBeside = 4;                     // columns of a block
constexpr int64_t kTableColumns = 4 * kWidth;  // columns of a piece of work

NACRE_INLINE Integers groups_beside(const int8_t* from) {
#if defined(NACRE_PAIRS)
  typedef int8_t Pairs __attribute__((vector_size(kNumbers), aligned(1), may_alias));
  Integers wide;
  asm("vpmovsxbw %1, %0" : "=v"(wide) : "m"(*reinterpret_cast<const Pairs*>(from)));
  return wide;
#else
  if (kGroup == 4) return shifted(*reinterpret_cast<const LooseWords*>(from));
  const Bytes bytes = *reinterpret_cast<const LooseBytes*>(from);
  return __builtin_convertvector(bytes, Integers);
#endif
}

// Every second lane of two vectors, from the first or the second one on.
NACRE_INLINE Wrapping every_second(Integers low, Integers high, int from) {
#if defined(__GNUC__) && !defined(__clang__)
  Integers lanes;
  for (int i = 0; i < kWidth; ++i) lanes[i] = 2 * i + from;
  return (Wrapping)__builtin_shuffle(low, high, lanes);
#else
  Integers found{};
  for (int i = 0; i < kWidth; ++i) {
    const int at = 2 * i + from;
    found[i] = at < kWidth ? low[at] : high[at - kWidth];
  }
  return (Wrapping)found;
#endif
}

// The sum of the lanes of each vector, in a lane of its own.
NACRE_INLINE Integers sums_of_lanes(Integers (&sums)[kWidth]) {
#pragma GCC unroll 4
  for (int count = kWidth / 2; count >= 1; count /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) {
      const Integers low = sums[2 * i], high = sums[2 * i + 1];
      sums[i] = (Integers)(every_second(low, high, 0) + every_second(low, high, 1));
    }
  return sums[0];
}

template <int R>
NACRE_INLINE void add_beside(const int32_t* words, int64_t stride, const Integers (&right)[kBeside],
                             Integers (&sums)[R][kBeside]) {
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const Integers left = *reinterpret_cast<const LooseWords*>(words + r * stride);
#pragma GCC unroll 4
    for (int u = 0; u < kBeside; ++u) sums[r][u] = add_products(sums[r][u], right[u], left);
  }
}

// R rows by kWidth columns of a table; the last one stands for those beyond it.
template <int R>
void table_block(const Product& m, int64_t row, int64_t column) {
  const Left left = m.left;
  const int32_t* words = left.words + row * left.groups;
  const int64_t depth = m.right.depth, whole = depth / kNumbers, rest = depth % kNumbers;
  Integers kept[R][kWidth];
  for (int first = 0; first < kWidth; first += kBeside) {
    const int8_t* from[kBeside];
    for (int u = 0; u < kBeside; ++u)
      from[u] = m.right.data + std::min(column + first + u, m.right.columns - 1) * depth;
    Integers right[kBeside], sums[R][kBeside] = {};
    for (int64_t k = 0; k < whole; ++k) {
#pragma GCC unroll 4
      for (int u = 0; u < kBeside; ++u) right[u] = groups_beside(from[u] + k * kNumbers);
      add_beside<R>(words + k * kWidth, left.groups, right, sums);
    }
    if (rest) {
      for (int u = 0; u < kBeside; ++u) {
        int8_t part[kNumbers] = {};
        std::memcpy(part, from[u] + whole * kNumbers, rest);
        right[u] = groups_beside(part);
      }
      add_beside<R>(words + whole * kWidth, left.groups, right, sums);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int u = 0; u < kBeside; ++u) kept[r][first + u] = sums[r][u];
  }
  int32_t totals[R][kWidth];
  for (int r = 0; r < R; ++r) {
    const Integers total = sums_of_lanes(kept[r]);
    std::memcpy(totals[r], &total, sizeof total);
  }
  if (m.right.columns - column >= kWidth) return put_whole(m, row, column, R, 1, totals[0]);
  for (int r = 0; r < R; ++r) put(m, row + r, column, 1, totals[r]);
}

// Rows begin ... end of some columns.
void table_piece(const Product& m, int64_t begin, int64_t end, int64_t column) {
  const int64_t last = std::min(m.right.columns, column + kTableColumns);
  for (; column < last; column += kWidth)
    for (int64_t row = begin, count; row < end; row += count) {
      const int64_t left = end - row;
      count = left >= 4 && kRegisters == 32 ? 4 : left >= 2 ? 2 : 1;
      switch (count) {
        case 4: table_block<4>(m, row, column); break;
        case 2: table_block<2>(m, row, column); break;
        case 1: table_block<1>(m, row, column); break;
      }
    }
}

// --- threads -------------------------------------------------------------------------------------

// body(0) ... body(count - 1), by all threads where the work is worth it.
template <typename Body>
void each(const Call& call, int64_t count, bool is_worth_threads, const Body& body) {
  if (is_worth_threads) return parallel(call, count, body);
  for (int64_t i = 0; i < count; ++i) body(i);
}

// fill(left, row) makes a row of the left factor; rest is what `Product` holds beside it.
template <typename Fill>
void run(const Call& call, Product m, const Fill& fill) {
  if (m.rows == 0 || m.right.columns == 0) return;
  // Of a table whole vectors of groups are multiplied.
  const int64_t size = m.is_table ? kNumbers : kGroup;
  const int64_t groups = pieces_of(m.right.depth, size) * (size / kGroup);
  Scratch memory(m.rows * (groups + 2) + 1);
  m.left.groups = groups;
  m.left.words = reinterpret_cast<int32_t*>(memory.data());
  m.left.corrections = m.left.words + m.rows * groups;
  m.left.scales = memory.data() + m.rows * (groups + 1);
  constexpr int64_t kTogether = 32;  // rows
  each(call, pieces_of(m.rows, kTogether), m.rows * m.right.depth >= kWorthRounding, [&](int64_t i) {
    const int64_t end = std::min(m.rows, (i + 1) * kTogether);
    for (int64_t row = i * kTogether; row < end; ++row) fill(m.left, row);
  });
  // Several pieces for each thread, as one may come late; packing is to be a small part of each.
  const int64_t chunk = m.rows > 2 * kChunk ? kChunk : m.rows;
  const double work = static_cast<double>(m.rows) * m.right.depth * m.right.columns;
  if (m.is_table) {
    const int64_t parts = pieces_of(m.right.columns, kTableColumns);
    each(call, parts * pieces_of(m.rows, chunk), work >= kWorthThreads, [&](int64_t i) {
      const int64_t begin = i / parts * chunk, end = std::min(m.rows, begin + chunk);
      table_piece(m, begin, end, i % parts * kTableColumns);
    });
    return;
  }
  const int64_t panels = pieces_of(m.right.columns, kColumns);
  const bool is_wide = panels >= 4 * kWide && (m.rows == 1 || groups <= kNarrow);
  const int64_t together = m.rows <= kFewRows && is_wide ? kWide : 1;
  const int64_t parts = pieces_of(panels, together);
  each(call, parts * pieces_of(m.rows, chunk), work >= kWorthThreads, [&](int64_t i) {
    const int64_t begin = i / parts * chunk, end = std::min(m.rows, begin + chunk);
    piece(m, begin, end, i % parts * together * kColumns, together);
  });
}

// --- the calls -----------------------------------------------------------------------------------

float float_of(int64_t bits) {
  const auto word = static_cast<int32_t>(bits);
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

void rounded_product(const Call& call, int64_t features, int64_t units, bool is_table) {
  Product m{};
  m.is_table = is_table;
  const float* inputs = call.argument(0);
  const Rounding rounding{static_cast<float>(call.attribute("low")),
                          static_cast<float>(call.attribute("high")),
                          float_of(call.attribute("epsilon"))};
  m.right = {call.argument<int8_t>(1), features, units};
  m.rows = call.count(0) / features;
  m.scale = call.argument(2), m.bias = call.count(3) ? call.argument(3) : nullptr;
  m.floats = call.result(0);
  run(call, m, [&](const Left& left, int64_t row) {
    round_row(inputs + row * features, features, rounding, left, row);
  });
}

// Arguments: inputs (*batch, features), int8 numbers (features, units), scale (units,), bias (units,)
// or (0,). Attributes: lowest and highest whole number of the inputs, epsilon's bits as float32.
// Result: (*batch, units).
void dense(const Call& call) { rounded_product(call, call.size(1, -2), call.size(1, -1), false); }

// The same of a table (units, features).
void table(const Call& call) { rounded_product(call, call.size(1, -1), call.size(1, -2), true); }

// Arguments: int8 (*batch, features), int8 (features, units). Result: int32 (*batch, units).
void matmul(const Call& call) {
  const int64_t features = call.size(1, -2), units = call.size(1, -1);
  const int8_t* inputs = call.argument<int8_t>(0);
  Product m{};
  m.right = {call.argument<int8_t>(1), features, units};
  m.rows = call.count(0) / features;
  m.ints = call.result<int32_t>(0);
  run(call, m, [&](const Left& left, int64_t row) {
    copy_row(inputs + row * features, features, left, row);
  });
}

}  // namespace

NACRE_HANDLER(quantized_dense, dense)
NACRE_HANDLER(quantized_table, table)
NACRE_HANDLER(quantized_matmul, matmul)
