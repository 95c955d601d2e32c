// Scaled dot-product attention, forward and backward, one head at a time; and of a few targets.
//
// A head's keys and values are packed once; then some rows of the query at a time meet all keys, so
// that their scores never leave the cache. Nothing of size targets × sources is stored: the way back
// computes the weights again, from each row's largest score and sum.
//
// Tasks are pairs (row of the batch, head of the keys); all arrays are float32 (batch, length, heads,
// head_dim). Source: Vaswani et al. 2017, section 3.2.1; recomputation as in Dao et al. 2022,
// arXiv:2205.14135, without its online softmax: a row of scores fits the cache.
#include <limits>

#include "products.h"

namespace {

using namespace nacre;

constexpr float kLowest = -0.7f * std::numeric_limits<float>::max();  // finite: no NaN if all masked

struct Shape {
  int64_t batch, targets, sources, heads, key_heads, size, value_size;
  bool causal, masked;
  float scale;
  const uint8_t* keep;           // (batch, heads, targets, sources), what dropout leaves; or null
  float boost;                   // and what that is multiplied by
  int64_t tile;                  // rows of the query at a time
  int64_t padded;                // sources rounded up to whole panels
  const uint8_t* mask;           // (batch or 1, heads or 1, targets or 1, sources or 1)
  int64_t mask_strides[4];

  int64_t repeats() const { return heads / key_heads; }
  const uint8_t* kept(int64_t batch, int64_t head, int64_t target) const {
    return keep + ((batch * heads + head) * targets + target) * sources;
  }
  // Sources that targets before `end` can see; the mask may need all (rows without any source).
  int64_t visible(int64_t end) const { return causal && !masked ? std::min(end, sources) : sources; }
};

Shape shape_of(const Call& call) {
  Shape s{};
  s.batch = call.size(0, 0), s.targets = call.size(0, 1);
  s.heads = call.size(0, 2), s.size = call.size(0, 3);
  s.sources = call.size(1, 1), s.key_heads = call.size(1, 2), s.value_size = call.size(2, 3);
  s.causal = call.attribute("causal"), s.masked = call.attribute("masked");
  s.scale = call.argument(3)[0], s.boost = call.argument(3)[1];
  s.keep = call.count(5) ? call.argument<uint8_t>(5) : nullptr;
  s.padded = round_up(s.sources, 4 * kWidth);
  s.tile = std::max<int64_t>(2 * kRows, std::min<int64_t>(48, 32768 / s.padded)) / kRows * kRows;
  s.tile = std::min(s.tile, s.targets);
  if (s.masked) {
    s.mask = call.argument<uint8_t>(4);
    for (int64_t axis = 3, stride = 1; axis >= 0; --axis) {
      s.mask_strides[axis] = call.size(4, axis) == 1 ? 0 : stride;
      stride *= call.size(4, axis);
    }
  }
  return s;
}

// --- packing -------------------------------------------------------------------------------------

// Panels of the transposed rows: panel[block of 4 vectors of rows][k][row]; rows past the end are 0.
void pack_rows(const float* from, int64_t stride, int64_t rows, int64_t depth, float* packed) {
  constexpr int64_t step = 4 * kWidth;
  for (int64_t block = 0; block * step < rows; ++block) {
    float* to = packed + block * step * depth;
    const int64_t count = std::min(rows - block * step, step);
    if (count < step) std::memset(to, 0, step * depth * sizeof(float));
    for (int64_t k0 = 0; k0 < depth; k0 += 16) {
      const int64_t end = std::min<int64_t>(k0 + 16, depth);
      for (int64_t j = 0; j < count; ++j) {
        const float* row = from + (block * step + j) * stride;
        for (int64_t k = k0; k < end; ++k) to[k * step + j] = row[k];
      }
    }
  }
}

// Panels of the rows themselves: panel[block of P vectors of columns][row][column].
template <int P>
void pack_columns(const float* from, int64_t stride, int64_t rows, int64_t columns, float* packed) {
  constexpr int64_t step = P * kWidth;
  for (int64_t column = 0; column < columns; column += step)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t p = 0; p < P; ++p, packed += kWidth) {
        const int64_t left = columns - column - p * kWidth;
        store(packed, left > 0 ? load_part(from + row * stride + column + p * kWidth, left) : Vector{});
      }
}

template <int P>
int64_t packed_columns(int64_t columns) {
  return round_up(columns, P * kWidth);
}

// to[row] = a[row] · panels of columns, times factors[row] unless null.
template <int P>
void times_columns(const float* a, int64_t stride, const float* panels, int64_t depth,
                   int64_t panel_depth, int64_t rows, int64_t columns, const float* factors,
                   float* to, int64_t to_stride) {
  constexpr int64_t step = P * kWidth;
  for (int64_t column = 0; column < columns; column += step) {
    all_rows<P>(a, stride, panels + column * panel_depth, depth, rows, [&](int64_t r, Vector(&sums)[P]) {
      for (int p = 0; p < P; ++p) {
        const int64_t left = columns - column - p * kWidth;
        if (left <= 0) break;
        store_part(to + r * to_stride + column + p * kWidth, factors ? sums[p] * factors[r] : sums[p], left);
      }
    });
  }
}

// to[row][source] = a[row] · source for all visible sources (padded to whole panels).
void times_rows(const float* a, int64_t stride, const float* panels, int64_t depth, int64_t rows,
                int64_t sources, float* to, int64_t to_stride) {
  constexpr int64_t step = 4 * kWidth;
  for (int64_t source = 0; source < sources; source += step) {
    all_rows<4>(a, stride, panels + source * depth, depth, rows, [&](int64_t r, Vector(&sums)[4]) {
      for (int p = 0; p < 4; ++p) store(to + r * to_stride + source + p * kWidth, sums[p]);
    });
  }
}

// result[source] += sum over rows of a[row][source] ⊗ panel rows.
template <int P>
void add_outer(const float* const* rows_of_a, const float* panels, int64_t rows, int64_t sources,
               int64_t columns, float* result) {
  constexpr int64_t step = P * kWidth;
  const int64_t stride = packed_columns<P>(columns);
  for (int64_t column = 0; column < columns; column += step)
    all_columns<P>(rows_of_a, sources, panels + column * rows, rows, result + column, stride,
                   step, true);
}

// --- scores --------------------------------------------------------------------------------------

// Put kLowest where row `target` may not look, past `sources` always.
void hide(const Shape& s, int64_t batch, int64_t head, int64_t target, int64_t sources, float* row) {
  const int64_t end = round_up(sources, 4 * kWidth);
  for (int64_t i = sources; i < end; ++i) row[i] = -std::numeric_limits<float>::infinity();
  if (s.causal)
    for (int64_t i = target + 1; i < sources; ++i) row[i] = kLowest;
  if (s.masked) {
    const uint8_t* mask = s.mask + batch * s.mask_strides[0] + head * s.mask_strides[1] +
                          target * s.mask_strides[2];
    for (int64_t i = 0; i < sources; ++i)
      if (!mask[i * s.mask_strides[3]]) row[i] = kLowest;
  }
}

void drop(const uint8_t* keep, int64_t sources, float* row) {
  for (int64_t i = 0; i < sources; ++i) row[i] = keep[i] ? row[i] : 0.0f;
}

NACRE_INLINE Vector exponential_or_zero(Vector x) {
  Vector scale, rest;
  exponential(clamp(x, -80.0f, 80.0f), scale, rest);
  return choose(x < -80.0f, Vector{}, scale + scale * rest);
}

// row = exp(row - max); writes max and 1 / sum. Not one logarithm of both: where all is hidden, max
// is so large that the sum would be lost in it.
void softmax(float* row, int64_t length, float* norm) {
  Vector high = load(row);
  for (int64_t i = kWidth; i < length; i += kWidth) {
    Vector one = load(row + i);
    high = choose(one > high, one, high);
  }
  float top = high[0];
  for (int i = 1; i < kWidth; ++i) top = std::max(top, high[i]);
  Vector total{};
  for (int64_t i = 0; i < length; i += kWidth) {
    Vector one = exponential_or_zero(load(row + i) - top);
    store(row + i, one);
    total += one;
  }
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += total[i];
  norm[0] = top, norm[1] = 1.0f / sum;
}

// --- forward -------------------------------------------------------------------------------------

void copy_rows(const float* from, int64_t stride, int64_t rows, int64_t size, float factor, float* to) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = 0; k < size; ++k) to[r * size + k] = from[r * stride + k] * factor;
}

// Arguments: query, key, value, scale and boost, mask, keep. Results: outputs, norms (batch, heads,
// targets, 2).
template <int P>
void forward(const Call& call, const Shape& s) {
  const float *query = call.argument(0), *key = call.argument(1), *value = call.argument(2);
  float *outputs = call.result(0), *norms = call.result(1);
  const int64_t q_stride = s.heads * s.size, k_stride = s.key_heads * s.size;
  const int64_t v_stride = s.key_heads * s.value_size, o_stride = s.heads * s.value_size;
  parallel(call, s.batch * s.key_heads, [&](int64_t task) {
    const int64_t b = task / s.key_heads, kept_head = task % s.key_heads;
    const int64_t values_size = packed_columns<P>(s.value_size) * s.sources;
    Scratch memory(s.padded * s.size + values_size + s.tile * (s.padded + s.size + 1));
    float* keys = memory.data();
    float* values = keys + s.padded * s.size;
    float* scores = values + values_size;
    float* rows = scores + s.tile * s.padded;
    float* factors = rows + s.tile * s.size;
    pack_rows(key + b * s.sources * k_stride + kept_head * s.size, k_stride, s.sources, s.size, keys);
    pack_columns<P>(value + b * s.sources * v_stride + kept_head * s.value_size, v_stride, s.sources,
                    s.value_size, values);
    for (int64_t head = kept_head * s.repeats(); head < (kept_head + 1) * s.repeats(); ++head) {
      for (int64_t t = 0; t < s.targets; t += s.tile) {
        const int64_t count = std::min(s.tile, s.targets - t), seen = s.visible(t + count);
        copy_rows(query + (b * s.targets + t) * q_stride + head * s.size, q_stride, count, s.size,
                  s.scale, rows);
        times_rows(rows, s.size, keys, s.size, count, seen, scores, s.padded);
        for (int64_t r = 0; r < count; ++r) {
          hide(s, b, head, t + r, seen, scores + r * s.padded);
          float* norm = norms + 2 * ((b * s.heads + head) * s.targets + t + r);
          softmax(scores + r * s.padded, round_up(seen, 4 * kWidth), norm);
          factors[r] = norm[1];
          if (s.keep) {
            drop(s.kept(b, head, t + r), seen, scores + r * s.padded);
            factors[r] *= s.boost;
          }
        }
        times_columns<P>(scores, s.padded, values, seen, s.sources, count, s.value_size, factors,
                         outputs + (b * s.targets + t) * o_stride + head * s.value_size, o_stride);
      }
    }
  });
}

// --- backward ------------------------------------------------------------------------------------

// Arguments: query, key, value, scale and boost, mask, keep, outputs, norms, d_outputs.
// Results: d_query, d_key, d_value.
template <int P>
void backward(const Call& call, const Shape& s) {
  const float *query = call.argument(0), *key = call.argument(1), *value = call.argument(2);
  const float *outputs = call.argument(6), *norms = call.argument(7);
  const float* d_outputs = call.argument(8);
  float *d_query = call.result(0), *d_key = call.result(1), *d_value = call.result(2);
  const int64_t q_stride = s.heads * s.size, k_stride = s.key_heads * s.size;
  const int64_t v_stride = s.key_heads * s.value_size, o_stride = s.heads * s.value_size;
  const int64_t wide = packed_columns<P>(s.size), wide_value = packed_columns<P>(s.value_size);
  parallel(call, s.batch * s.key_heads, [&](int64_t task) {
    const int64_t b = task / s.key_heads, kept_head = task % s.key_heads;
    const int64_t keys_at = b * s.sources * k_stride + kept_head * s.size;
    const int64_t values_at = b * s.sources * v_stride + kept_head * s.value_size;
    Scratch memory(s.padded * (s.size + s.value_size) + s.sources * (2 * wide + wide_value) +
                   s.tile * (2 * s.padded + s.size + s.value_size + wide + wide_value + 1) +
                   s.padded);
    float* keys = memory.data();                         // panels of keys as columns
    float* values = keys + s.padded * s.size;            // and of values
    float* key_rows = values + s.padded * s.value_size;  // panels of keys as rows
    float* d_keys = key_rows + s.sources * wide;
    float* d_values = d_keys + s.sources * wide;
    float* weights = d_values + s.sources * wide_value;
    float* d_scores = weights + s.tile * s.padded;
    float* rows = d_scores + s.tile * s.padded;
    float* d_rows = rows + s.tile * s.size;
    float* row_panels = d_rows + s.tile * s.value_size;
    float* d_row_panels = row_panels + s.tile * wide;
    float* factors = d_row_panels + s.tile * wide_value;
    float* kept = factors + s.tile;  // what each weight of a row is multiplied by
    std::fill(kept, kept + s.padded, 1.0f);
    std::vector<const float*> weight_rows(s.tile), score_rows(s.tile);
    for (int64_t r = 0; r < s.tile; ++r) {
      weight_rows[r] = weights + r * s.padded, score_rows[r] = d_scores + r * s.padded;
      factors[r] = s.scale;
    }
    pack_rows(key + keys_at, k_stride, s.sources, s.size, keys);
    pack_rows(value + values_at, v_stride, s.sources, s.value_size, values);
    pack_columns<P>(key + keys_at, k_stride, s.sources, s.size, key_rows);
    std::memset(d_keys, 0, s.sources * (wide + wide_value) * sizeof(float));
    for (int64_t head = kept_head * s.repeats(); head < (kept_head + 1) * s.repeats(); ++head) {
      for (int64_t t = 0; t < s.targets; t += s.tile) {
        const int64_t count = std::min(s.tile, s.targets - t), seen = s.visible(t + count);
        const int64_t query_at = (b * s.targets + t) * q_stride + head * s.size;
        const int64_t output_at = (b * s.targets + t) * o_stride + head * s.value_size;
        copy_rows(query + query_at, q_stride, count, s.size, s.scale, rows);
        copy_rows(d_outputs + output_at, o_stride, count, s.value_size, 1.0f, d_rows);
        times_rows(rows, s.size, keys, s.size, count, seen, weights, s.padded);
        times_rows(d_rows, s.value_size, values, s.value_size, count, seen, d_scores, s.padded);
        for (int64_t r = 0; r < count; ++r) {
          float* weight = weights + r * s.padded;
          float* d_score = d_scores + r * s.padded;
          hide(s, b, head, t + r, seen, weight);
          const float* norm = norms + 2 * ((b * s.heads + head) * s.targets + t + r);
          const bool hidden = norm[0] <= kLowest;
          float through = 0;
          for (int64_t k = 0; k < s.value_size; ++k)
            through += d_rows[r * s.value_size + k] * outputs[output_at + r * o_stride + k];
          if (s.keep) {
            const uint8_t* keep = s.kept(b, head, t + r);
            for (int64_t i = 0; i < seen; ++i) kept[i] = keep[i] ? s.boost : 0.0f;
          }
          for (int64_t i = 0; i < seen; i += kWidth) {
            const Vector one = exponential_or_zero(load(weight + i) - norm[0]) * norm[1];
            const Vector stays = load(kept + i);
            store(weight + i, one * stays);
            // Where all is hidden the weights are equal, but no score has moved them.
            store(d_score + i, hidden ? Vector{} : one * (load(d_score + i) * stays - through));
          }
        }
        pack_columns<P>(rows, s.size, count, s.size, row_panels);
        pack_columns<P>(d_rows, s.value_size, count, s.value_size, d_row_panels);
        times_columns<P>(d_scores, s.padded, key_rows, seen, s.sources, count, s.size, factors,
                         d_query + query_at, q_stride);
        add_outer<P>(score_rows.data(), row_panels, count, seen, s.size, d_keys);
        add_outer<P>(weight_rows.data(), d_row_panels, count, seen, s.value_size, d_values);
      }
    }
    for (int64_t i = 0; i < s.sources; ++i) {
      std::memcpy(d_key + keys_at + i * k_stride, d_keys + i * wide, s.size * sizeof(float));
      std::memcpy(d_value + values_at + i * v_stride, d_values + i * wide_value,
                  s.value_size * sizeof(float));
    }
  });
}

// --- a few targets -------------------------------------------------------------------------------

// A token that is new, as a rule, and all before it: keys and values are read where they lie, once,
// and only up to the last one that may be seen.

constexpr double kWorthThreads = 1 << 17;  // products that a second thread is woken for
constexpr double kWorthClaim = 1 << 14;    // products of a piece of work

// Of several vectors the sum of each: pairs are added crosswise until one is left.
NACRE_INLINE Vector sums_of(Vector (&rows)[kWidth]) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 4
  for (int step = kWidth / 2; step > 0; step /= 2) {
    Integers low, high;
    for (int lane = 0; lane < kWidth; ++lane) {
      low[lane] = lane & step ? kWidth + lane - step : lane;
      high[lane] = lane & step ? kWidth + lane : lane + step;
    }
#pragma GCC unroll 8
    for (int i = 0; i < step; ++i)
      rows[i] = __builtin_shuffle(rows[i], rows[i + step], low) +
                __builtin_shuffle(rows[i], rows[i + step], high);
  }
  return rows[0];
#else
  Vector sums{};
  for (int i = 0; i < kWidth; ++i)
    for (int lane = 0; lane < kWidth; ++lane) sums[i] += rows[i][lane];
  return sums;
#endif
}

// scores[source] = row · key of the source, for whole vectors of sources.
void meet_keys(const float* row, const float* keys, int64_t stride, int64_t sources, int64_t size,
               float* scores) {
  for (int64_t first = 0; first < sources; first += kWidth) {
    Vector sums[kWidth] = {};
    for (int64_t k = 0; k < size; k += kWidth) {
      const Vector factor = load_part(row + k, size - k);
#pragma GCC unroll 16
      for (int64_t i = 0; i < kWidth; ++i) {  // past the end the last one again
        const float* key = keys + std::min(first + i, sources - 1) * stride + k;
        sums[i] += factor * load_part(key, size - k);
      }
    }
    store(scores + first, sums_of(sums));
  }
}

// to = factor · sum of weights[source] · value of the source.
template <int P>
void mix_values(const float* weights, const float* values, int64_t stride, int64_t sources,
                int64_t size, float factor, float* to) {
  for (int64_t column = 0; column < size; column += P * kWidth) {
    Vector even[P] = {}, odd[P] = {};
    const auto add = [&](int64_t source, Vector(&sums)[P]) __attribute__((always_inline)) {
      const float* value = values + source * stride + column;
      const Vector weight = fill(weights[source]);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const int64_t left = size - column - p * kWidth;
        if (left > 0) sums[p] += weight * load_part(value + p * kWidth, left);
      }
    };
    int64_t source = 0;
    for (; source + 2 <= sources; source += 2) add(source, even), add(source + 1, odd);
    if (source < sources) add(source, even);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const int64_t left = size - column - p * kWidth;
      if (left > 0) store_part(to + column + p * kWidth, (even[p] + odd[p]) * factor, left);
    }
  }
}

// How many sources a target reads: up to the last one that it may see, all where it may see none.
int64_t seen_by(const Shape& s, int64_t batch, int64_t head, int64_t target) {
  const int64_t most = s.causal ? std::min(target + 1, s.sources) : s.sources;
  if (!s.masked) return most;
  const uint8_t* mask = s.mask + batch * s.mask_strides[0] + head * s.mask_strides[1] +
                        target * s.mask_strides[2];
  for (int64_t i = most; i > 0; --i)
    if (mask[(i - 1) * s.mask_strides[3]]) return i;
  return s.sources;
}

// Arguments: query, key, value, scale and boost, mask, keep, which is empty. Result: outputs.
template <int P>
void look(const Call& call, const Shape& s) {
  const float *query = call.argument(0), *key = call.argument(1), *value = call.argument(2);
  float* outputs = call.result(0);
  const int64_t k_stride = s.key_heads * s.size, v_stride = s.key_heads * s.value_size;
  const auto run = [&](int64_t task, float* memory) {
    const int64_t b = task / s.key_heads, kept_head = task % s.key_heads;
    const float* keys = key + b * s.sources * k_stride + kept_head * s.size;
    const float* values = value + b * s.sources * v_stride + kept_head * s.value_size;
    float *scores = memory, *row = scores + s.padded;
    for (int64_t head = kept_head * s.repeats(); head < (kept_head + 1) * s.repeats(); ++head)
      for (int64_t t = 0; t < s.targets; ++t) {
        const int64_t place = (b * s.targets + t) * s.heads + head, seen = seen_by(s, b, head, t);
        copy_rows(query + place * s.size, 0, 1, s.size, s.scale, row);
        meet_keys(row, keys, k_stride, seen, s.size, scores);
        hide(s, b, head, t, seen, scores);
        float norm[2];
        softmax(scores, round_up(seen, 4 * kWidth), norm);
        mix_values<P>(scores, values, v_stride, seen, s.value_size, norm[1],
                      outputs + place * s.value_size);
      }
  };
  const int64_t tasks = s.batch * s.key_heads;
  const double work = static_cast<double>(s.repeats()) * s.targets * s.sources *
                      (s.size + s.value_size);  // of a task
  const int64_t together = std::max<int64_t>(1, static_cast<int64_t>(kWorthClaim / work));
  const auto run_some = [&](int64_t piece) {
    Scratch memory(s.padded + s.size);
    const int64_t end = std::min(tasks, (piece + 1) * together);
    for (int64_t task = piece * together; task < end; ++task) run(task, memory.data());
  };
  const int64_t pieces = (tasks + together - 1) / together;
  if (work * tasks >= kWorthThreads) return parallel(call, pieces, run_some);
  for (int64_t piece = 0; piece < pieces; ++piece) run_some(piece);
}

void run_look(const Call& call) {
  const Shape s = shape_of(call);
  s.value_size <= 2 * kWidth ? look<2>(call, s) : look<4>(call, s);
}

void run_forward(const Call& call) {
  const Shape s = shape_of(call);
  std::max(s.size, s.value_size) <= 2 * kWidth ? forward<2>(call, s) : forward<4>(call, s);
}

void run_backward(const Call& call) {
  const Shape s = shape_of(call);
  std::max(s.size, s.value_size) <= 2 * kWidth ? backward<2>(call, s) : backward<4>(call, s);
}

}  // namespace

NACRE_HANDLER(attention_forward, run_forward)
NACRE_HANDLER(attention_look, run_look)
NACRE_HANDLER(attention_backward, run_backward)
