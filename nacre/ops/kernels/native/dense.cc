// Products of matrices: inputs · kernel + bias, and its two gradients.
//
// All three are one loop. A panel of the right factor, a few vectors of columns and at most kDepth
// rows, stays in cache while blocks of kRows rows of the left factor pass by, with their sums in
// registers; it is packed where it lies transposed, or where many rows pass by. The left factor is
// read where it lies. Several samples, each with a product of its own, are one call. Each number of the result is summed by one thread in one order, however many
// threads there are: a sum of each block of the depth, and those in turn. (Panels and blocks as in
// Goto & van de Geijn 2008, ACM TOMS 34:3.)
#include "handler.h"

namespace {

using namespace nacre;

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

// The left factor: element (row, k) lies at data[row · row_stride + k · depth_stride].
struct Left {
  const float* data;
  int64_t row_stride, depth_stride;
};

// The right factor, (depth, columns) in memory, or (columns, depth) where it is transposed.
struct Right {
  const float* data;
  int64_t stride;
  bool transposed;
};

struct Product {
  Left left;
  Right right;
  int64_t rows, depth, columns;
  const float* bias;  // of the columns, or null
  float* result;      // (rows, columns)
  float* totals;      // sums of the right factor over its depth, or null
};

// --- packing -------------------------------------------------------------------------------------

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

// One vector of columns, of which `count` are there, of the transposed factor: to[k · stride].
__attribute__((noinline)) void pack_transposed(const float* from, int64_t from_stride, int64_t count,
                                               int64_t depth, float* to, int64_t stride) {
  int64_t k = 0;
  for (; k + kWidth <= depth; k += kWidth) {
    Vector square[kWidth] = {};
    for (int64_t i = 0; i < count; ++i) square[i] = load(from + i * from_stride + k);
    transpose(square);
    for (int i = 0; i < kWidth; ++i) store(to + (k + i) * stride, square[i]);
  }
  for (; k < depth; ++k) {
    Vector row{};
    for (int64_t i = 0; i < count; ++i) row[i] = from[i * from_stride + k];
    store(to + k * stride, row);
  }
}

// Columns from `first` on, rows k0 ... k0 + depth: panel[k][column]; 0 past the last column.
void pack(const Right& right, int64_t first, int64_t columns, int64_t k0, int64_t depth,
          int64_t stride, float* panel) {
  const int64_t left = columns - first;
  if (right.transposed) {
    const float* from = right.data + first * right.stride + k0;
    for (int64_t at = 0; at < stride; at += kWidth)
      pack_transposed(from + at * right.stride, right.stride,
                      std::max<int64_t>(0, std::min<int64_t>(kWidth, left - at)), depth, panel + at,
                      stride);
    return;
  }
  constexpr int64_t kAhead = 16;  // rows lie on pages of their own, so that nobody else looks ahead
  const float* from = right.data + k0 * right.stride + first;
  for (int64_t k = 0; k < depth; ++k, from += right.stride, panel += stride)
    for (int64_t at = 0; at < stride; at += kWidth) {
      if (k + kAhead < depth) __builtin_prefetch(from + kAhead * right.stride + at);
      store(panel + at, load_part(from + at, std::max<int64_t>(0, left - at)));
    }
}

// --- a block -------------------------------------------------------------------------------------

struct Block {
  const float* left;  // its first row
  const float* panel;
  int64_t panel_stride, depth;
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

template <int R, int P, bool along_rows>
void block(const Block& b, int64_t left_stride) {
  Vector sums[R][P] = {};
  const float* left = b.left;
  const float* panel = b.panel;
  for (int64_t k = 0; k < b.depth; ++k, panel += b.panel_stride) {
    Vector right[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) right[p] = load(panel + p * kWidth);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const Vector one = fill(along_rows ? left[r * left_stride + k] : left[k * left_stride + r]);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) sums[r][p] += one * right[p];
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) put<P>(b, r, sums[r]);
}

template <int P, bool along_rows>
void blocks(Block b, int64_t left_stride, int64_t rows) {
  const int64_t row_step = along_rows ? left_stride : 1;
  for (int64_t count; rows > 0; rows -= count) {
    count = rows == 8 ? 4 : rows >= kRows ? kRows : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
    switch (count) {
      case kRows: block<kRows, P, along_rows>(b, left_stride); break;
      case 4: block<4, P, along_rows>(b, left_stride); break;
      case 2: block<2, P, along_rows>(b, left_stride); break;
      case 1: block<1, P, along_rows>(b, left_stride); break;
    }
    b.left += count * row_step;
    b.to += count * b.to_stride;
  }
}

// --- a product -----------------------------------------------------------------------------------

// Rows begin ... end of one panel, the whole depth.
template <int P, bool along_rows>
void piece(const Product& m, int64_t begin, int64_t end, int64_t column, float* panel) {
  const int64_t left_stride = along_rows ? m.left.row_stride : m.left.depth_stride;
  const int64_t columns = m.columns - column;
  const bool is_packed = m.right.transposed || end - begin > kUnpacked || columns < P * kWidth;
  const int64_t parts = pieces_of(m.depth, kDepth), step = pieces_of(m.depth, parts);
  Vector totals[P] = {};
  for (int64_t k0 = 0; k0 < m.depth; k0 += step) {
    const int64_t depth = std::min(step, m.depth - k0);
    Block b{};
    b.left = m.left.data + begin * m.left.row_stride + k0 * m.left.depth_stride;
    b.panel = m.right.data + k0 * m.right.stride + column, b.panel_stride = m.right.stride;
    if (is_packed) {
      pack(m.right, column, m.columns, k0, depth, P * kWidth, panel);
      b.panel = panel, b.panel_stride = P * kWidth;
    }
    if (m.totals && begin == 0)
      for (int64_t k = 0; k < depth; ++k)
        for (int p = 0; p < P; ++p) totals[p] += load(b.panel + k * b.panel_stride + p * kWidth);
    b.depth = depth;
    b.to = m.result + begin * m.columns + column, b.to_stride = m.columns, b.columns = columns;
    b.add = k0 > 0;
    b.bias = m.bias && k0 + depth == m.depth ? m.bias + column : nullptr;
    blocks<P, along_rows>(b, left_stride, end - begin);
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
    const Product first = product(0);
    const double work = static_cast<double>(samples) * first.rows * first.depth * first.columns;
    const auto run = [&](int64_t i) { body(product(i / count), i % count); };
    if (work >= kWorthThreads) return parallel(call, samples * count, run);
    for (int64_t i = 0; i < samples * count; ++i) run(i);
  }
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
void dots(const Product& m, int64_t row, int64_t column, int64_t count) {
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
void few_rows(const Call& call, const Products<Function>& all) {
  constexpr int most = kRegisters == 32 ? kRows : 2;  // times kTogether sums stay in registers
  const int64_t pieces = pieces_of(all.product(0).columns, kDots);
  all.each_piece(call, pieces, [&](const Product& m, int64_t piece) {
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
}

// --- any product ---------------------------------------------------------------------------------

template <bool along_rows, typename Function>
void run(const Call& call, int64_t samples, const Function& product) {
  const Products<Function> all{samples, product};
  const Product first = product(0);
  if (first.rows == 0 || samples == 0) return;
  if (first.right.transposed && first.rows <= kFewRows && first.depth >= kLong)
    return few_rows(call, all);
  const int64_t panels = pieces_of(first.columns, kColumns);
  // Several pieces for each thread, as one may come late; packing is to be a small part of each.
  const int64_t most = first.right.transposed ? 2 * kChunk : kChunk;
  const int64_t chunk = first.rows > 2 * most ? most : first.rows;
  const int64_t chunks = pieces_of(first.rows, chunk);
  all.each_piece(call, panels * chunks, [&](const Product& m, int64_t i) {
    const int64_t begin = i / panels * chunk, end = std::min(m.rows, begin + chunk);
    const int64_t column = i % panels * kColumns;
    Scratch memory(kDepth * kColumns);
    switch (std::min<int64_t>(kVectors, pieces_of(m.columns - column, kWidth))) {
      case 1: piece<1, along_rows>(m, begin, end, column, memory.data()); break;
      case 2: piece<2, along_rows>(m, begin, end, column, memory.data()); break;
#if defined(__AVX512F__) || defined(__aarch64__)
      case 3:
      case 4: piece<4, along_rows>(m, begin, end, column, memory.data()); break;
#endif
    }
  });
}

// --- the calls -----------------------------------------------------------------------------------

// A kernel (features, units), or one for each sample.
struct Kernels {
  const float* data;
  int64_t features, units, samples;

  explicit Kernels(const Call& call)
      : data(call.argument(1)), features(call.size(1, -2)), units(call.size(1, -1)) {
    samples = call.count(1) / (features * units);
  }
  const float* of(int64_t sample) const { return data + sample * features * units; }
  // How many rows of `size` numbers each sample has in an argument.
  int64_t rows(const Call& call, int argument, int64_t size) const {
    return call.count(argument) / (size * std::max<int64_t>(1, samples));
  }
};

// Arguments: inputs (*batch, features), kernel (features, units), bias (units,) or (0,).
// Result: (*batch, units). Of several samples, all have their axes in front.
void forward(const Call& call) {
  const Kernels kernels(call);
  const int64_t features = kernels.features, units = kernels.units;
  const int64_t rows = kernels.rows(call, 0, features);
  const float *inputs = call.argument(0), *bias = call.count(2) ? call.argument(2) : nullptr;
  float* outputs = call.result(0);
  run<true>(call, kernels.samples, [&](int64_t i) {
    return Product{{inputs + i * rows * features, features, 1},
                   {kernels.of(i), units, false},
                   rows, features, units,
                   bias ? bias + i * units : nullptr,
                   outputs + i * rows * units,
                   nullptr};
  });
}

// Arguments: gradients (*batch, units), kernel. Result: gradients of the inputs (*batch, features).
void input_gradient(const Call& call) {
  const Kernels kernels(call);
  const int64_t features = kernels.features, units = kernels.units;
  const int64_t rows = kernels.rows(call, 0, units);
  const float* gradients = call.argument(0);
  float* slopes = call.result(0);
  run<true>(call, kernels.samples, [&](int64_t i) {
    return Product{{gradients + i * rows * units, units, 1},
                   {kernels.of(i), units, true},
                   rows, units, features,
                   nullptr, slopes + i * rows * features, nullptr};
  });
}

// Arguments: inputs, gradients. Results: gradients of kernel and bias, of each sample.
void kernel_gradient(const Call& call) {
  const int64_t features = call.attribute("features"), units = call.attribute("units");
  const int64_t samples = call.result_count(1) / units;
  const int64_t rows = call.count(0) / (features * std::max<int64_t>(1, samples));
  const float *inputs = call.argument(0), *gradients = call.argument(1);
  float *slopes = call.result(0), *sums = call.result(1);
  run<false>(call, samples, [&](int64_t i) {
    return Product{{inputs + i * rows * features, 1, features},
                   {gradients + i * rows * units, units, false},
                   features, rows, units,
                   nullptr, slopes + i * features * units, sums + i * units};
  });
}

}  // namespace

NACRE_HANDLER(dense_forward, forward)
NACRE_HANDLER(dense_input_gradient, input_gradient)
NACRE_HANDLER(dense_kernel_gradient, kernel_gradient)
