// Where a window slides: axes, padded pieces of an array, and lists of places.
#pragma once

#include <climits>

#include "handler.h"

namespace nacre {

constexpr int64_t kSlabFloats = 64 << 10;  // 256 KiB of padded input stay in the second cache

inline int64_t ceil_div(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// Place q · step_out + shift of the output sees places q · step_in + offset of the input.
struct Tap {
  int64_t number, offset;
};
struct Phase {
  int64_t shift, begin, end;  // begin <= q < end
  std::vector<Tap> taps;
};
struct Axis {
  int64_t in, out, step_in, step_out;
  std::vector<Phase> phases;
  int64_t begin = INT64_MAX, end = INT64_MIN, least = INT64_MAX, most = INT64_MIN;

  void finish() {
    for (auto& phase : phases) {
      begin = std::min(begin, phase.begin);
      end = std::max(end, phase.end);
      for (auto& tap : phase.taps) {
        least = std::min(least, tap.offset);
        most = std::max(most, tap.offset);
      }
    }
  }
};

// The numbers of one convolution: the wide side is its input, the narrow one its output.
struct Shape {
  int64_t batch, groups, channels, filters;  // channels and filters of one group
  int64_t wide[3], narrow[3], window[3], stride[3], pad[3], dilation[3];

  explicit Shape(const int32_t* numbers)
      : batch(numbers[0]), groups(numbers[1]), channels(numbers[2]), filters(numbers[3]) {
    numbers += 4;
    for (auto field : {wide, narrow, window, stride, pad, dilation})
      for (int i = 0; i < 3; ++i) field[i] = *numbers++;
  }
  int64_t taps() const { return window[0] * window[1] * window[2]; }

  Axis forward_axis(int i) const {
    Axis axis{wide[i], narrow[i], stride[i], 1, {{0, 0, narrow[i], {}}}};
    for (int64_t t = 0; t < window[i]; ++t)
      axis.phases[0].taps.push_back({t, t * dilation[i] - pad[i]});
    axis.finish();
    return axis;
  }
  // From narrow to wide: one phase for each remainder of a place by the stride, so that no zero
  // between strides is ever multiplied.
  Axis backward_axis(int i) const {
    const int64_t s = stride[i];
    Axis axis{narrow[i], wide[i], 1, s, {}};
    for (int64_t r = 0; r < s; ++r) {
      Phase phase{r - pad[i], ceil_div(pad[i] - r, s), ceil_div(wide[i] + pad[i] - r, s), {}};
      for (int64_t t = 0; t < window[i]; ++t)
        if (t * dilation[i] % s == r) phase.taps.push_back({t, -(t * dilation[i] - r) / s});
      if (phase.begin < phase.end) axis.phases.push_back(phase);
    }
    axis.finish();
    return axis;
  }
};

template <typename Act>
void for_phases(const Axis* axis, const Act& act) {
  for (auto& a : axis[0].phases)
    for (auto& b : axis[1].phases)
      for (auto& c : axis[2].phases) {
        const Phase* phase[3] = {&a, &b, &c};
        act(phase);
      }
}

// Some images, or some places q of the first axis of one image.
struct Piece {
  int64_t image, images, begin, end;
};

// Cut the work into pieces of `least` to `most` places whose input stays in the cache.
inline std::vector<Piece> cut(const Axis* axis, int64_t batch, int64_t channels, int64_t least,
                              int64_t most) {
  const int64_t row = (axis[1].end - axis[1].begin) * (axis[2].end - axis[2].begin);
  const int64_t rows = axis[0].end - axis[0].begin;
  const int64_t floats = axis[0].step_in * axis[1].in * axis[2].in * channels;  // that a row sees
  const int64_t fitting = kSlabFloats / std::max<int64_t>(1, floats) * row;
  const int64_t limit = std::max(least, std::min(most, fitting));
  std::vector<Piece> pieces;
  if (rows * row > limit) {
    const int64_t bands = ceil_div(rows, std::max<int64_t>(1, limit / row));
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t b = 0; b < bands; ++b)
        pieces.push_back({n, 1, axis[0].begin + rows * b / bands,
                          axis[0].begin + rows * (b + 1) / bands});
    return pieces;
  }
  const int64_t images = std::max<int64_t>(1, limit / std::max<int64_t>(1, rows * row));
  const int64_t lots = ceil_div(batch, images);
  for (int64_t i = 0; i < lots; ++i) {
    const int64_t first = batch * i / lots;
    pieces.push_back({first, batch * (i + 1) / lots - first, axis[0].begin, axis[0].end});
  }
  return pieces;
}

// What a piece sees, with its padding: the array itself where nothing is padded, else a copy.
struct Slab {
  const float* data;
  int64_t low[3], extent[3];
  int64_t image;  // the first one in `data`
};

// Memory of one thread that grows and is kept.
struct Workspace {
  std::vector<float> slab, part;
  std::vector<int64_t> seen, places;
  static Workspace& mine() {
    thread_local Workspace one;
    return one;
  }
};

class Copier {
 public:
  Copier(const Axis* axis, int64_t channels, const Slab& slab, float* to)
      : axis_(axis), channels_(channels), slab_(slab), to_(to) {}

  // Copies one axis: what lies outside becomes zeros; where the inner axes are whole, in one go.
  void copy(int i, const float* from) {
    int64_t inner_in = channels_, inner_out = channels_;
    bool whole = true;
    for (int j = i + 1; j < 3; ++j) {
      inner_in *= axis_[j].in, inner_out *= slab_.extent[j];
      whole = whole && slab_.low[j] == 0 && slab_.extent[j] == axis_[j].in;
    }
    const int64_t low = slab_.low[i], high = low + slab_.extent[i];
    const int64_t first = std::min(std::max<int64_t>(low, 0), high);
    const int64_t last = std::max(std::min(high, axis_[i].in), first);
    zeros((first - low) * inner_out);
    if (whole) {
      std::memcpy(to_, from + first * inner_in, (last - first) * inner_in * sizeof(float));
      to_ += (last - first) * inner_in;
    } else {
      for (int64_t place = first; place < last; ++place) copy(i + 1, from + place * inner_in);
    }
    zeros((high - last) * inner_out);
  }

 private:
  void zeros(int64_t count) {
    std::memset(to_, 0, count * sizeof(float));
    to_ += count;
  }
  const Axis* axis_;
  int64_t channels_;
  const Slab& slab_;
  float* to_;
};

inline Slab take(const float* data, const Axis* axis, const Piece& piece, int64_t channels) {
  Slab slab{nullptr, {}, {}, piece.image};
  bool inside = true;
  for (int i = 0; i < 3; ++i) {
    const int64_t begin = i ? axis[i].begin : piece.begin, end = i ? axis[i].end : piece.end;
    const bool empty = axis[i].least > axis[i].most || begin >= end;
    slab.low[i] = empty ? 0 : begin * axis[i].step_in + axis[i].least;
    slab.extent[i] = empty ? 1 : (end - 1) * axis[i].step_in + axis[i].most - slab.low[i] + 1;
    inside = inside && slab.low[i] >= 0 && slab.low[i] + slab.extent[i] <= axis[i].in;
  }
  if (inside) return {data, {0, 0, 0}, {axis[0].in, axis[1].in, axis[2].in}, 0};
  const int64_t image = slab.extent[0] * slab.extent[1] * slab.extent[2] * channels;
  auto& memory = Workspace::mine().slab;
  if ((int64_t)memory.size() < piece.images * image) memory.resize(piece.images * image);
  slab.data = memory.data();
  const int64_t step = axis[0].in * axis[1].in * axis[2].in * channels;
  for (int64_t n = 0; n < piece.images; ++n) {
    Copier copier(axis, channels, slab, memory.data() + n * image);
    copier.copy(0, data + (piece.image + n) * step);
  }
  return slab;
}

// List where the places of a piece are: in its slab (`seen`) and in the output (`places`).
inline int64_t list_places(const Axis* axis, const Phase* const* phase, const Piece& piece,
                           const Slab& slab, int64_t channels, int64_t out_channels) {
  const int64_t begin = std::max(piece.begin, phase[0]->begin);
  const int64_t end = std::min(piece.end, phase[0]->end);
  const int64_t row = (phase[1]->end - phase[1]->begin) * (phase[2]->end - phase[2]->begin);
  const int64_t count = piece.images * std::max<int64_t>(0, end - begin) * row;
  auto& mine = Workspace::mine();
  mine.seen.resize(count);
  mine.places.resize(count);
  int64_t *seen = mine.seen.data(), *places = mine.places.data();
  const int64_t step_in = axis[2].step_in * channels, step_out = axis[2].step_out * out_channels;
  const int64_t along = phase[2]->end - phase[2]->begin;
  for (int64_t n = piece.image; n < piece.image + piece.images; ++n)
    for (int64_t a = begin; a < end; ++a)
      for (int64_t b = phase[1]->begin; b < phase[1]->end; ++b) {
        int64_t in = (n - slab.image) * slab.extent[0] + a * axis[0].step_in - slab.low[0];
        in = in * slab.extent[1] + b * axis[1].step_in - slab.low[1];
        in = in * slab.extent[2] + phase[2]->begin * axis[2].step_in - slab.low[2];
        int64_t out = n * axis[0].out + a * axis[0].step_out + phase[0]->shift;
        out = out * axis[1].out + b * axis[1].step_out + phase[1]->shift;
        out = out * axis[2].out + phase[2]->begin * axis[2].step_out + phase[2]->shift;
        for (int64_t c = 0; c < along; ++c) {
          seen[c] = in * channels + c * step_in;
          places[c] = out * out_channels + c * step_out;
        }
        seen += along;
        places += along;
      }
  return count;
}

// The taps of a phase in row-major order: number in the window, offset in the slab.
inline std::vector<Tap> list_taps(const Phase* const* phase, const int64_t* window,
                                  const int64_t* extent, int64_t channels) {
  std::vector<Tap> taps;
  for (auto& a : phase[0]->taps)
    for (auto& b : phase[1]->taps)
      for (auto& c : phase[2]->taps)
        taps.push_back({(a.number * window[1] + b.number) * window[2] + c.number,
                        ((a.offset * extent[1] + b.offset) * extent[2] + c.offset) * channels});
  return taps;
}

}  // namespace nacre
