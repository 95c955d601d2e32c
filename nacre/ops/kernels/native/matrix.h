// Products of matrices, for `dense.cc` and `halves.cc`: inputs · kernel + bias, and its two gradients.
//
// All three are one loop. A panel of the right factor, a few vectors of columns and at most kDepth
// rows, stays in cache while blocks of kRows rows of the left factor pass by, with their sums in
// registers; it is packed where it lies transposed, or where many rows pass by. The left factor is
// read where it lies. Several samples, each with a product of its own, are one call. Each number of
// the result is summed by one thread in one order, however many threads there are: a sum of each
// block of the depth, and those in turn. (Panels and blocks as in Goto & van de Geijn 2008, ACM TOMS
// 34:3.)
//
// A `Kind` says what is multiplied: words of 32 bits, each a float, or two numbers of 16 bits that are
// neighbours along the depth and meet in one instruction.
#pragma once

#include "handler.h"

namespace nacre {
namespace {  // where these may be seen from elsewhere, GCC 12 keeps the sums in memory: half the speed

constexpr int kRows = 6;                            // rows of a block
constexpr int kVectors = kRegisters == 32 ? 4 : 2;  // vectors of a panel: kRows times as many sums
constexpr int64_t kColumns = kVectors * kWidth;     // columns of a panel
constexpr int64_t kDepth = 512;                     // rows of a panel: 128 KiB of AVX-512
constexpr int64_t kChunk = 126;                     // rows of a piece of work, in whole blocks
constexpr double kWorthThreads = 1 << 19;           // products that a second thread is woken for
// So few rows do not pay for packing. With 32, 784-128 runs at 257 GFLOP/s and not at 215, 1024-1024
// at 360 and not at 241; with 128, 1024-1024 at 464 and not at 347; with 256 nothing is gained.
constexpr int64_t kUnpacked = 130;


int64_t pieces_of(int64_t size, int64_t piece) { return (size + piece - 1) / piece; }

// The left factor: number (row, k) lies at data[row · row_stride + k · depth_stride].
template <typename Kind>
struct Left {
  const typename Kind::Number* data;
  int64_t row_stride, depth_stride;
};

// The right factor, (depth, columns) in memory, or (columns, depth) where it is transposed.
template <typename Kind>
struct Right {
  const typename Kind::Number* data;
  int64_t stride;
  bool transposed;
};

template <typename Kind>
struct Product {
  Left<Kind> left;
  Right<Kind> right;
  int64_t rows, depth, columns;
  const float* bias;              // of the columns, or null
  typename Kind::Number* result;  // (rows, columns)
  float* totals;                  // sums of the right factor over its depth, or null
};

// --- packing -------------------------------------------------------------------------------------

typedef float LooseWords __attribute__((vector_size(kWidth * 4), aligned(1), may_alias));

// Swaps rows and columns of a square of vectors, a bit of their numbers at a time.
NACRE_INLINE void transpose(Vector (&square)[kWidth]) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 4
  for (int step = 1; step < kWidth; step *= 2) {
    Integers low, high;
    for (int lane = 0; lane < kWidth; ++lane) {
      low[lane] = lane & step ? kWidth + lane - step : lane;
      high[lane] = lane & step ? kWidth + lane : lane + step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kWidth; ++i) {
      if (i & step) continue;
      const Vector first = square[i], second = square[i + step];
      square[i] = __builtin_shuffle(first, second, low);
      square[i + step] = __builtin_shuffle(first, second, high);
    }
  }
#else
  for (int i = 0; i < kWidth; ++i)
    for (int j = 0; j < i; ++j) {
      const float kept = square[i][j];
      square[i][j] = square[j][i];
      square[j][i] = kept;
    }
#endif
}

// One vector of columns, of which `count` are there, of the transposed factor: to[word · stride].
template <typename Kind>
__attribute__((noinline)) void pack_transposed(const typename Kind::Number* from, int64_t from_stride,
                                               int64_t count, int64_t depth, float* to,
                                               int64_t stride) {
  constexpr int64_t kNumbers = Kind::kNumbers;
  int64_t k = 0;
  for (; k + kWidth * kNumbers <= depth; k += kWidth * kNumbers) {
    Vector square[kWidth] = {};
    for (int64_t i = 0; i < count; ++i)
      square[i] = *reinterpret_cast<const LooseWords*>(from + i * from_stride + k);
    transpose(square);
    for (int i = 0; i < kWidth; ++i, to += stride) store(to, square[i]);
  }
  for (; k < depth; k += kNumbers, to += stride) {
    float row[kWidth] = {};
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(row + i, from + i * from_stride + k,
                  std::min(kNumbers, depth - k) * sizeof(typename Kind::Number));
    std::memcpy(to, row, sizeof(row));
  }
}

// Columns from `first` on, numbers k0 ... k0 + depth: panel[word][column]; 0 past the last column.
template <typename Kind>
void pack(const Right<Kind>& right, int64_t first, int64_t columns, int64_t k0, int64_t depth,
          int64_t stride, float* panel) {
  const int64_t left = columns - first;
  if (!right.transposed)
    return Kind::pack(right.data + k0 * right.stride + first, right.stride, left, depth, panel, stride);
  const auto* from = right.data + first * right.stride + k0;
  for (int64_t at = 0; at < stride; at += kWidth)
    pack_transposed<Kind>(from + at * right.stride, right.stride,
                          std::max<int64_t>(0, std::min<int64_t>(kWidth, left - at)), depth,
                          panel + at, stride);
}

// --- a block -------------------------------------------------------------------------------------

struct Block {
  const char* left;  // its first row
  const float* panel;
  int64_t panel_stride, words;
  float* to;
  int64_t to_stride, columns;  // of the result; how many are left here
  const float* bias;
  bool add;  // to what was summed before
};

// Out of line: where the address of a sum is taken, GCC keeps all of them in memory.
__attribute__((noinline)) void put_few(const Block& b, float* to, int p, Vector sum) {
  const int64_t count = b.columns - p * kWidth;
  if (count <= 0) return;
  if (b.add) sum = load_part(to, count) + sum;
  if (b.bias) sum = sum + load_part(b.bias + p * kWidth, count);
  store_part(to, sum, count);
}

template <int P>
NACRE_INLINE void put(const Block& b, int row, const Vector (&sums)[P]) {
  float* to = b.to + row * b.to_stride;
  if (b.columns >= P * kWidth) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      Vector sum = sums[p];
      if (b.add) sum = load(to + p * kWidth) + sum;
      if (b.bias) sum = sum + load(b.bias + p * kWidth);
      store(to + p * kWidth, sum);
    }
    return;
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p)
    put_few(b, to + p * kWidth, p, sums[p]);
}

// `left_stride` is in bytes, as all of the left factor is counted here.
template <typename Kind, int R, int P, bool along_rows>
void block(const Block& b, int64_t left_stride) {
  constexpr int64_t kWord = 4;
  Vector sums[R][P] = {};
  const char* left = b.left;
  const float* panel = b.panel;
  for (int64_t k = 0; k < b.words; ++k, panel += b.panel_stride) {
    Vector right[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) right[p] = load(panel + p * kWidth);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const Vector one = Kind::fill(along_rows ? left + r * left_stride + k * kWord
                                               : left + k * left_stride + r * kWord);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) sums[r][p] = Kind::add(sums[r][p], one, right[p]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) put<P>(b, r, sums[r]);
}

template <typename Kind, int P, bool along_rows>
void blocks(Block b, int64_t left_stride, int64_t rows) {
  const int64_t row_step = along_rows ? left_stride : 4;
  for (int64_t count; rows > 0; rows -= count) {
    count = rows == 8 ? 4 : rows >= kRows ? kRows : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
    switch (count) {
      case kRows: block<Kind, kRows, P, along_rows>(b, left_stride); break;
      case 4: block<Kind, 4, P, along_rows>(b, left_stride); break;
      case 2: block<Kind, 2, P, along_rows>(b, left_stride); break;
      case 1: block<Kind, 1, P, along_rows>(b, left_stride); break;
    }
    b.left += count * row_step;
    b.to += count * b.to_stride;
  }
}

// --- a product -----------------------------------------------------------------------------------

// Where a piece keeps what it packs, and sums that are rounded when they are whole.
template <typename Kind, bool along_rows>
struct Memory {
  // Words of a panel's column. A left factor that is packed shares the cache with the panel.
  static constexpr int64_t kWords = Kind::kNumbers > 1 && !along_rows ? kDepth / 2 : kDepth;
  static constexpr int64_t kPanel = kWords * kColumns;

  explicit Memory(int64_t rows)
      : rows_(round_up(rows, kWidth)),
        scratch_(kPanel + (Kind::kNumbers > 1 ? rows_ * (kColumns + kWords) : 0)) {}
  float* panel() const { return scratch_.data(); }
  float* sums() const { return panel() + kPanel; }
  float* left() const { return sums() + rows_ * kColumns; }
  int64_t left_stride() const { return rows_; }

 private:
  static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
  int64_t rows_;
  Scratch scratch_;
};

// Rows begin ... end of one panel, the whole depth.
template <typename Kind, int P, bool along_rows>
void piece(const Product<Kind>& m, int64_t begin, int64_t end, int64_t column) {
  typedef Memory<Kind, along_rows> Kept;
  constexpr int64_t kNumbers = Kind::kNumbers, kBytes = sizeof(typename Kind::Number);
  constexpr bool is_rounded = kNumbers > 1;
  const Kept memory(end - begin);
  float* panel = memory.panel();
  int64_t left_stride = (along_rows ? m.left.row_stride : m.left.depth_stride) * kBytes;
  const int64_t rows = end - begin, columns = m.columns - column;
  const bool is_packed =
      is_rounded || m.right.transposed || rows > kUnpacked || columns < P * kWidth;
  const int64_t words = pieces_of(m.depth, kNumbers), parts = pieces_of(words, Kept::kWords);
  const int64_t step = parts == 0 ? 1 : pieces_of(words, parts) * kNumbers;
  Vector totals[P] = {};
  for (int64_t k0 = 0; k0 < m.depth; k0 += step) {
    const int64_t depth = std::min(step, m.depth - k0);
    const auto* left = m.left.data + begin * m.left.row_stride + k0 * m.left.depth_stride;
    Block b{};
    b.left = reinterpret_cast<const char*>(left);
    b.words = pieces_of(depth, kNumbers);
    if (is_packed) {
      pack<Kind>(m.right, column, m.columns, k0, depth, P * kWidth, panel);
      b.panel = panel, b.panel_stride = P * kWidth;
    } else if constexpr (!is_rounded) {
      b.panel = m.right.data + k0 * m.right.stride + column, b.panel_stride = m.right.stride;
    }
    if constexpr (is_rounded) {
      if (!along_rows) {
        Kind::pack(left, m.left.depth_stride, rows, depth, memory.left(), memory.left_stride());
        left_stride = memory.left_stride() * 4;
      } else if (depth % kNumbers) {  // the last word of a row would end in the next row
        Kind::pad(left, m.left.row_stride, rows, depth, memory.left(), b.words);
        left_stride = b.words * 4;
      }
      if (!along_rows || depth % kNumbers) b.left = reinterpret_cast<const char*>(memory.left());
    }
    if (m.totals && begin == 0)
      for (int64_t k = 0; k < b.words; ++k)
        for (int p = 0; p < P; ++p)
          totals[p] = Kind::add_numbers(totals[p], load(b.panel + k * b.panel_stride + p * kWidth));
    b.add = k0 > 0;
    if constexpr (is_rounded) {
      b.to = memory.sums(), b.to_stride = b.columns = P * kWidth;
    } else {
      b.to = m.result + begin * m.columns + column, b.to_stride = m.columns, b.columns = columns;
      b.bias = m.bias && k0 + depth == m.depth ? m.bias + column : nullptr;
    }
    blocks<Kind, P, along_rows>(b, left_stride, rows);
  }
  if constexpr (is_rounded)
    for (int64_t row = m.depth > 0 ? begin : end; row < end; ++row)
      for (int64_t at = 0; at < P * kWidth && at < columns; at += kWidth) {
        Vector sum = load(memory.sums() + (row - begin) * P * kWidth + at);
        if (m.bias) sum = sum + load_part(m.bias + column + at, columns - at);
        Kind::store_part(m.result + row * m.columns + column + at, sum, columns - at);
      }
  if (m.totals && begin == 0)
    for (int64_t p = 0; p * kWidth < columns && p < P; ++p)
      store_part(m.totals + column + p * kWidth, totals[p], columns - p * kWidth);
}

// Products of one size; product(i) is the one of sample i.
template <typename Function>
struct Products {
  int64_t samples;
  const Function& product;

  // body(product, piece), for `count` pieces of each.
  template <typename Body>
  void each_piece(const Call& call, int64_t count, const Body& body) const {
    const auto first = product(0);
    const double work = static_cast<double>(samples) * first.rows * first.depth * first.columns;
    const auto run = [&](int64_t i) { body(product(i / count), i % count); };
    if (work >= kWorthThreads) return parallel(call, samples * count, run);
    for (int64_t i = 0; i < samples * count; ++i) run(i);
  }
};

template <typename Kind, bool along_rows, typename Function>
void run(const Call& call, int64_t samples, const Function& product) {
  const Products<Function> all{samples, product};
  const Product<Kind> first = product(0);
  if (first.rows == 0 || samples == 0) return;
  const int64_t panels = pieces_of(first.columns, kColumns);
  // Several pieces for each thread, as one may come late; packing is to be a small part of each.
  const int64_t most = first.right.transposed ? 2 * kChunk : kChunk;
  const int64_t chunk = first.rows > 2 * most ? most : first.rows;
  const int64_t chunks = pieces_of(first.rows, chunk);
  all.each_piece(call, panels * chunks, [&](const Product<Kind>& m, int64_t i) {
    const int64_t begin = i / panels * chunk, end = std::min(m.rows, begin + chunk);
    const int64_t column = i % panels * kColumns;
    switch (std::min<int64_t>(kVectors, pieces_of(m.columns - column, kWidth))) {
      case 1: piece<Kind, 1, along_rows>(m, begin, end, column); break;
      case 2: piece<Kind, 2, along_rows>(m, begin, end, column); break;
#if defined(__AVX512F__) || defined(__aarch64__)
      case 3:
      case 4: piece<Kind, 4, along_rows>(m, begin, end, column); break;
#endif
    }
  });
}

// --- the calls -----------------------------------------------------------------------------------

// A kernel (features, units), or one for each sample.
template <typename Kind>
struct Kernels {
  const typename Kind::Number* data;
  int64_t features, units, samples;

  explicit Kernels(const Call& call)
      : data(call.argument<typename Kind::Number>(1)), features(call.size(1, -2)), units(call.size(1, -1)) {
    samples = call.count(1) / (features * units);
  }
  const typename Kind::Number* of(int64_t sample) const { return data + sample * features * units; }
  // How many rows of `size` numbers each sample has in an argument.
  int64_t rows(const Call& call, int argument, int64_t size) const {
    return call.count(argument) / (size * std::max<int64_t>(1, samples));
  }
};

// Arguments: inputs (*batch, features), kernel (features, units), bias (units,) or (0,), floats.
// Result: (*batch, units). Of several samples, all have their axes in front.
template <typename Kind>
void forward(const Call& call) {
  typedef typename Kind::Number Number;
  const Kernels<Kind> kernels(call);
  const int64_t features = kernels.features, units = kernels.units;
  const int64_t rows = kernels.rows(call, 0, features);
  const Number* inputs = call.argument<Number>(0);
  const float* bias = call.count(2) ? call.argument(2) : nullptr;
  Number* outputs = call.result<Number>(0);
  run<Kind, true>(call, kernels.samples, [&](int64_t i) {
    return Product<Kind>{{inputs + i * rows * features, features, 1},
                         {kernels.of(i), units, false},
                         rows, features, units,
                         bias ? bias + i * units : nullptr,
                         outputs + i * rows * units,
                         nullptr};
  });
}

// Arguments: gradients (*batch, units), kernel. Result: gradients of the inputs (*batch, features).
template <typename Kind>
void input_gradient(const Call& call) {
  typedef typename Kind::Number Number;
  const Kernels<Kind> kernels(call);
  const int64_t features = kernels.features, units = kernels.units;
  const int64_t rows = kernels.rows(call, 0, units);
  const Number* gradients = call.argument<Number>(0);
  Number* slopes = call.result<Number>(0);
  const auto product = [&](int64_t i) {
    return Product<Kind>{{gradients + i * rows * units, units, 1},
                         {kernels.of(i), units, true},
                         rows, units, features,
                         nullptr, slopes + i * rows * features, nullptr};
  };
  if (!Kind::few_rows(call, kernels.samples, rows, units, product))
    run<Kind, true>(call, kernels.samples, product);
}

// Arguments: inputs, gradients. Results: gradients of the kernel, and of the bias, floats, of each
// sample.
template <typename Kind>
void kernel_gradient(const Call& call) {
  typedef typename Kind::Number Number;
  const int64_t features = call.attribute("features"), units = call.attribute("units");
  const int64_t samples = call.result_count(1) / units;
  const int64_t rows = call.count(0) / (features * std::max<int64_t>(1, samples));
  const Number *inputs = call.argument<Number>(0), *gradients = call.argument<Number>(1);
  Number* slopes = call.result<Number>(0);
  float* sums = call.result(1);
  run<Kind, false>(call, samples, [&](int64_t i) {
    return Product<Kind>{{inputs + i * rows * features, 1, features},
                         {gradients + i * rows * units, units, false},
                         features, rows, units,
                         nullptr, slopes + i * features * units, sums + i * units};
  });
}

}  // namespace
}  // namespace nacre
