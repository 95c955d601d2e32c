// Normalisation of rows, by mean and variance or by the mean square alone, and its gradients.
//
// A row is read from memory once: it stays in cache for its mean, the mean square of what is left,
// and the result. The mean of numbers far from 0 is rounded by more than they may differ; what it
// leaves of them is small, so the mean of that is what it was wrong by. The gradients of scale and
// offset are sums over all rows: of kGroup rows each, and those sums in turn, so that their order is
// one on any number of threads. Of several samples, each has a scale, an offset and their gradients.
// Formulas: Ba et al. 2016, arXiv:1607.06450; Zhang & Sennrich 2019, arXiv:1910.07467.
#include <cmath>

#include "handler.h"

namespace {

using namespace nacre;

constexpr int64_t kGroup = 32;  // rows of a piece of work

struct Shape {
  int64_t samples, rows, size, groups;  // rows and groups of one sample
  bool is_centred;  // the mean is taken off
  const float *scale, *offset;  // of all samples, or null

  const float* scale_of(int64_t sample) const { return scale ? scale + sample * size : nullptr; }
  const float* offset_of(int64_t sample) const { return offset ? offset + sample * size : nullptr; }
  // body(sample, group, first row, end) for each group, rows counted over all samples.
  template <typename Body>
  void each_group(const Call& call, const Body& body) const {
    parallel(call, samples * groups, [&](int64_t i) {
      const int64_t sample = i / groups, group = i % groups, before = sample * rows;
      body(sample, i, before + group * kGroup, before + std::min(rows, (group + 1) * kGroup));
    });
  }
};

// Arguments 1 and 2 are scale and offset, of one row or empty.
Shape shape_of(const Call& call, int64_t samples) {
  Shape s{};
  s.samples = samples, s.size = call.attribute("size");
  s.rows = call.count(0) / (s.size * std::max<int64_t>(1, samples));
  s.groups = (s.rows + kGroup - 1) / kGroup;
  s.is_centred = call.attribute("centred");
  s.scale = call.count(1) ? call.argument(1) : nullptr;
  s.offset = call.count(2) ? call.argument(2) : nullptr;
  return s;
}

NACRE_INLINE float sum_of(Vector x) {
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += x[i];
  return sum;
}

// What is taken off a row, as two numbers whose sum is no float, and 1 / sqrt(variance + epsilon).
struct Statistics {
  float mean, rest, inverse;
  NACRE_INLINE Vector normal(Vector x) const { return ((x - mean) - rest) * inverse; }
};

// The mean of f(number) over a row, in four sums side by side.
template <typename Function>
NACRE_INLINE float mean_of(int64_t size, const Function& function) {
  Vector sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * kWidth <= size; i += 4 * kWidth)
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sums[v] += function(i + v * kWidth);
  for (; i + kWidth <= size; i += kWidth) sums[0] += function(i);
  float sum = sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
  if (i < size) {
    const Vector last = function(i);
    for (int64_t lane = 0; lane < size - i; ++lane) sum += last[lane];
  }
  return sum / static_cast<float>(size);
}

// Arguments: x (*batch, size), scale, offset, epsilon (), of each sample. Results: y, `Statistics` of
// each row.
void forward(const Call& call) {
  const Shape s = shape_of(call, call.count(3));
  const float *x = call.argument(0), epsilon = *call.argument(3);
  float *y = call.result(0), *statistics = call.result(1);
  s.each_group(call, [&](int64_t sample, int64_t, int64_t begin, int64_t end) {
    const float *scale = s.scale_of(sample), *offset = s.offset_of(sample);
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x + row * s.size;
      float* to = y + row * s.size;
      const auto at = [&](int64_t i) { return load_part(from + i, s.size - i); };
      Statistics found{};
      if (s.is_centred) {
        found.mean = mean_of(s.size, at);
        found.rest = mean_of(s.size, [&](int64_t i) { return at(i) - found.mean; });
      }
      const float variance = mean_of(s.size, [&](int64_t i) {
        const Vector left = (at(i) - found.mean) - found.rest;
        return left * left;
      });
      found.inverse = 1.0f / std::sqrt(variance + epsilon);
      for (int64_t i = 0; i < s.size; i += kWidth) {
        const int64_t left = s.size - i;
        Vector out = found.normal(at(i));
        if (scale) out = out * load_part(scale + i, left);
        if (offset) out = out + load_part(offset + i, left);
        store_part(to + i, out, left);
      }
      std::memcpy(statistics + 3 * row, &found, sizeof found);
    }
  });
}

// Arguments: x, scale, offset, statistics, gradients of y. Results: gradients of x, scale, offset.
//
// n = (x - mean) · inverse, h = g · scale: d_x = inverse · (h - mean(h) - n · mean(h · n)), where
// mean(h) counts as 0 if the mean was not taken off; d_scale = sum(g · n), d_offset = sum(g).
void backward(const Call& call) {
  const int64_t size = call.attribute("size");
  const Shape s = shape_of(call, call.result_count(1) / size);
  const float *x = call.argument(0), *statistics = call.argument(3), *g = call.argument(4);
  float *d_x = call.result(0), *d_scale = call.result(1), *d_offset = call.result(2);
  const int64_t padded = (s.size + kWidth - 1) / kWidth * kWidth;
  Scratch memory(2 * s.samples * s.groups * padded);
  s.each_group(call, [&](int64_t sample, int64_t group, int64_t begin, int64_t end) {
    const float* scale = s.scale_of(sample);
    float* scale_sums = memory.data() + 2 * group * padded;
    float* offset_sums = scale_sums + padded;
    std::memset(scale_sums, 0, 2 * padded * sizeof(float));
    for (int64_t row = begin; row < end; ++row) {
      Statistics found;
      std::memcpy(&found, statistics + 3 * row, sizeof found);
      const float *from = x + row * s.size, *slope = g + row * s.size;
      const auto normal = [&](int64_t i) { return found.normal(load_part(from + i, s.size - i)); };
      const auto scaled = [&](int64_t i) {
        const Vector one = load_part(slope + i, s.size - i);
        return scale ? one * load_part(scale + i, s.size - i) : one;
      };
      const float along = mean_of(s.size, [&](int64_t i) { return scaled(i) * normal(i); });
      const float common = s.is_centred ? mean_of(s.size, scaled) : 0.0f;
      for (int64_t i = 0; i < s.size; i += kWidth) {
        const Vector n = normal(i), one = load_part(slope + i, s.size - i);
        store_part(d_x + row * s.size + i, (scaled(i) - common - n * along) * found.inverse,
                   s.size - i);
        store(scale_sums + i, load(scale_sums + i) + one * n);
        store(offset_sums + i, load(offset_sums + i) + one);
      }
    }
  });
  parallel(call, s.samples, [&](int64_t sample) {
    for (int64_t i = 0; i < s.size; i += kWidth) {
      Vector scale{}, offset{};
      for (int64_t group = sample * s.groups; group < (sample + 1) * s.groups; ++group) {
        const float* sums = memory.data() + 2 * group * padded;
        scale += load(sums + i), offset += load(sums + padded + i);
      }
      store_part(d_scale + sample * s.size + i, scale, s.size - i);
      store_part(d_offset + sample * s.size + i, offset, s.size - i);
    }
  });
}

}  // namespace

NACRE_HANDLER(layer_norm_forward, forward)
NACRE_HANDLER(layer_norm_backward, backward)
