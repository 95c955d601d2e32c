// Rows of scores, one for each class: the place of the highest, and the cross-entropy of a label.
//
// A row is read from memory once: it stays in cache for its highest score and the sum of
// exponentials. The gradient reads it again, with both known, and writes.
#include <cmath>
#include <limits>

#include "handler.h"

namespace {

using namespace nacre;

constexpr int64_t kPiece = 1 << 14;  // numbers of a piece of work
constexpr int kTogether = 4;         // vectors side by side

// body(row) for all rows, some at a time.
template <typename Body>
void each_row(const Call& call, int64_t rows, int64_t classes, const Body& body) {
  const int64_t some = std::max<int64_t>(1, kPiece / classes);
  parallel(call, (rows + some - 1) / some, [&](int64_t piece) {
    for (int64_t row = piece * some; row < std::min(rows, (piece + 1) * some); ++row) body(row);
  });
}

// --- the place of the highest --------------------------------------------------------------------

// Lanes that have seen a number take a higher one; those that have seen none take it anyway.
struct Found {
  float score;
  int64_t place;
  void meet(float other, int64_t at) {
    if (other > score || (other == score && at < place)) score = other, place = at;
  }
};

int64_t first_without_number(const float* row, int64_t size) {
  for (int64_t i = 0; i < size; ++i)
    if (row[i] != row[i]) return i;
  return 0;
}

// The first of the highest; the first NaN where there is one.
int64_t place_of_highest(const float* row, int64_t size) {
  Vector best[kTogether];
  Integers at[kTogether] = {}, odd{};  // numbers of blocks; lanes that met a NaN
  for (auto& one : best) one = fill(-std::numeric_limits<float>::infinity());
  constexpr int64_t step = kTogether * kWidth;
  int64_t i = 0;
  for (Integers block{}; i + step <= size; i += step, block += 1)
#pragma GCC unroll 4
    for (int v = 0; v < kTogether; ++v) {
      const Vector one = load(row + i + v * kWidth);
      const Integers higher = one > best[v];
      best[v] = choose(higher, one, best[v]);
      at[v] = higher ? block : at[v];
      odd |= one != one;
    }
  bool is_odd = false;
  for (int lane = 0; lane < kWidth; ++lane) is_odd |= odd[lane] != 0;
  Found found{-std::numeric_limits<float>::infinity(), size};
  if (i > 0)
    for (int v = 0; v < kTogether; ++v)
      for (int lane = 0; lane < kWidth; ++lane)
        found.meet(best[v][lane], at[v][lane] * step + v * kWidth + lane);
  for (; i < size; ++i) is_odd |= row[i] != row[i], found.meet(row[i], i);
  return is_odd ? first_without_number(row, size) : found.place;
}

// Argument: scores (*rows, classes). Result: places (*rows), int32.
void highest(const Call& call) {
  const int64_t classes = call.size(0, -1), rows = call.result_count(0);
  const float* scores = call.argument(0);
  int32_t* places = call.result<int32_t>(0);
  each_row(call, rows, classes, [&](int64_t row) {
    places[row] = static_cast<int32_t>(place_of_highest(scores + row * classes, classes));
  });
}

// --- cross-entropy of labels ---------------------------------------------------------------------

NACRE_INLINE Vector exponential_or_zero(Vector x) {
  Vector scale, rest;
  exponential(clamp(x, -80.0f, 80.0f), scale, rest);
  return choose(x < -80.0f, Vector{}, scale + scale * rest);
}

float highest_of(const float* row, int64_t size) {
  Vector best[kTogether];
  for (auto& one : best) one = fill(-std::numeric_limits<float>::infinity());
  constexpr int64_t step = kTogether * kWidth;
  int64_t i = 0;
  for (; i + step <= size; i += step)
#pragma GCC unroll 4
    for (int v = 0; v < kTogether; ++v) {
      const Vector one = load(row + i + v * kWidth);
      best[v] = choose(one > best[v], one, best[v]);
    }
  float found = -std::numeric_limits<float>::infinity();
  for (const Vector& one : best)
    for (int lane = 0; lane < kWidth; ++lane) found = std::max(found, one[lane]);
  for (; i < size; ++i) found = row[i] > found ? row[i] : found;
  return found;
}

float sum_of_exponentials(const float* row, int64_t size, float top) {
  Vector sums[kTogether] = {};
  constexpr int64_t step = kTogether * kWidth;
  int64_t i = 0;
  for (; i + step <= size; i += step)
#pragma GCC unroll 4
    for (int v = 0; v < kTogether; ++v)
      sums[v] += exponential_or_zero(load(row + i + v * kWidth) - top);
  for (; i + kWidth <= size; i += kWidth) sums[0] += exponential_or_zero(load(row + i) - top);
  const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float total = 0;
  for (int lane = 0; lane < kWidth; ++lane) total += sum[lane];
  if (i < size) {
    const Vector last = exponential_or_zero(load_part(row + i, size - i) - top);
    for (int64_t lane = 0; lane < size - i; ++lane) total += last[lane];
  }
  return total;
}

// Arguments: scores (*rows, classes), labels (*rows), int32. Results: -log softmax(scores)[label];
// of each row its highest score and 1 / sum of exponentials.
void entropy(const Call& call) {
  const int64_t classes = call.size(0, -1), rows = call.count(1);
  const float* scores = call.argument(0);
  const int32_t* labels = call.argument<int32_t>(1);
  float *values = call.result(0), *norms = call.result(1);
  each_row(call, rows, classes, [&](int64_t i) {
    const float* row = scores + i * classes;
    const float top = highest_of(row, classes), sum = sum_of_exponentials(row, classes, top);
    const bool is_class = 0 <= labels[i] && labels[i] < classes;
    values[i] = is_class ? std::log(sum) - (row[labels[i]] - top)
                         : std::numeric_limits<float>::quiet_NaN();
    norms[2 * i] = top, norms[2 * i + 1] = 1.0f / sum;
  });
}

// Arguments: scores, labels, what the forward pass found, gradients (*rows). Result: those of the
// scores, gradient · (softmax(scores) - 1 at the label).
void entropy_gradient(const Call& call) {
  const int64_t classes = call.size(0, -1), rows = call.count(1);
  const float *scores = call.argument(0), *norms = call.argument(2), *slopes = call.argument(3);
  const int32_t* labels = call.argument<int32_t>(1);
  float* result = call.result(0);
  each_row(call, rows, classes, [&](int64_t i) {
    const float *row = scores + i * classes, top = norms[2 * i];
    const float factor = norms[2 * i + 1] * slopes[i];
    float* to = result + i * classes;
    for (int64_t k = 0; k < classes; k += kWidth) {
      const Vector one = exponential_or_zero(load_part(row + k, classes - k) - top);
      store_part(to + k, one * factor, classes - k);
    }
    if (0 <= labels[i] && labels[i] < classes) to[labels[i]] -= slopes[i];
  });
}

}  // namespace

NACRE_HANDLER(classes_highest, highest)
NACRE_HANDLER(classes_entropy, entropy)
NACRE_HANDLER(classes_entropy_gradient, entropy_gradient)
