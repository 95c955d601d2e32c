// Small products whose right factor is packed into panels that fit the registers.
#pragma once

#include "handler.h"

namespace nacre {

constexpr int kRows = kRegisters == 32 ? 6 : 3;  // rows times vectors of sums stay in registers

inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// --- products ------------------------------------------------------------------------------------

// Every loop over the sums is unrolled, those that store them too: GCC keeps sums in registers only
// where all their indices are constants, and else in memory, at half the speed of a product.

// sums[r][p] = sum over k of a[r · stride + k] · panel[k][p]
template <int R, int P>
NACRE_INLINE void product(const float* a, int64_t stride, const float* panel, int64_t depth,
                          Vector (&sums)[R][P]) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums[r][p] = Vector{};
  for (int64_t k = 0; k < depth; ++k) {
    Vector b[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) b[p] = load(panel + (k * P + p) * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      Vector s = fill(a[r * stride + k]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sums[r][p] += s * b[p];
    }
  }
}

template <int R, int P, typename Finish>
void some_rows(const float* a, int64_t stride, const float* panel, int64_t depth, int64_t first,
               const Finish& finish) {
  Vector sums[R][P];
  product<R, P>(a + first * stride, stride, panel, depth, sums);
  Vector kept[R][P];  // for the loop below, whose index is no constant
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) kept[r][p] = sums[r][p];
  for (int r = 0; r < R; ++r) finish(first + r, kept[r]);
}

// finish(row, sums of P vectors) for every row of a · panel.
template <int P, typename Finish>
void all_rows(const float* a, int64_t stride, const float* panel, int64_t depth, int64_t rows,
              const Finish& finish) {
  int64_t groups = (rows + kRows - 1) / kRows;
  for (int64_t first = 0; groups > 0; --groups) {
    int64_t count = (rows - first + groups - 1) / groups;  // groups of equal size: 16 = 6 + 5 + 5
    switch (count) {
#if defined(__AVX512F__) || defined(__aarch64__)
      case 6: some_rows<6, P>(a, stride, panel, depth, first, finish); break;
      case 5: some_rows<5, P>(a, stride, panel, depth, first, finish); break;
      case 4: some_rows<4, P>(a, stride, panel, depth, first, finish); break;
#endif
      case 3: some_rows<3, P>(a, stride, panel, depth, first, finish); break;
      case 2: some_rows<2, P>(a, stride, panel, depth, first, finish); break;
      case 1: some_rows<1, P>(a, stride, panel, depth, first, finish); break;
    }
    first += count;
  }
}

// result[m + r] (+)= sum over k of a[k][m + r] · panel[k], for R rows of the result.
template <int R, int P>
void some_columns(const float* const* a, int64_t m, const float* panel, int64_t depth, float* result,
                  int64_t columns, int64_t count, bool add) {
  Vector sums[R][P] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector b[P];
    const float* from = a[k] + m;
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) b[p] = load(panel + (k * P + p) * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      Vector s = fill(from[r]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sums[r][p] += s * b[p];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      float* to = result + (m + r) * columns + p * kWidth;
      const int64_t left = count - p * kWidth;
      if (left > 0) store_part(to, add ? sums[r][p] + load_part(to, left) : sums[r][p], left);
    }
}

// The same for rows 0 ... width - 1; `columns` is the result's stride, `count` its columns left here.
template <int P>
void all_columns(const float* const* a, int64_t width, const float* panel, int64_t depth,
                 float* result, int64_t columns, int64_t count, bool add) {
  for (int64_t m = 0; m < width;) {
    const int64_t left = std::min<int64_t>(width - m, kRows);
    switch (left) {
#if defined(__AVX512F__) || defined(__aarch64__)
      case 6: some_columns<6, P>(a, m, panel, depth, result, columns, count, add); break;
      case 5: some_columns<5, P>(a, m, panel, depth, result, columns, count, add); break;
      case 4: some_columns<4, P>(a, m, panel, depth, result, columns, count, add); break;
#endif
      case 3: some_columns<3, P>(a, m, panel, depth, result, columns, count, add); break;
      case 2: some_columns<2, P>(a, m, panel, depth, result, columns, count, add); break;
      case 1: some_columns<1, P>(a, m, panel, depth, result, columns, count, add); break;
    }
    m += left;
  }
}

}  // namespace nacre
