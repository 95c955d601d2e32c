// Depthwise convolution: one filter for each channel, vectors along the channels.
//
// There is little work for each number read, so nothing is copied to pad it: places are taken line
// by line, and where a window sticks out its taps are left out.
#pragma once

#include "sliding.h"

namespace nacre {

inline bool is_depthwise(const Shape& s) {
  return s.channels == 1 && s.filters == 1 && s.groups >= kWidth;
}

// Places of one line that see the same taps.
struct Line {
  int64_t seen, places, count;  // where the first is: in the input, in the output
  int64_t seen_step, places_step;
  const Tap* taps;
  int64_t tap_count;
};

// Neighbouring places of one axis whose windows stick out by the same taps.
struct Stretch {
  int64_t begin, end;
  std::vector<Tap> taps;
};

inline std::vector<Stretch> stretches(const Axis& axis, const Phase& phase, int64_t begin,
                                      int64_t end) {
  std::vector<Stretch> found;
  for (int64_t q = std::max(begin, phase.begin); q < std::min(end, phase.end); ++q) {
    std::vector<Tap> taps;
    for (auto& tap : phase.taps) {
      const int64_t at = q * axis.step_in + tap.offset;
      if (at >= 0 && at < axis.in) taps.push_back(tap);
    }
    const auto same = [](const Tap& a, const Tap& b) { return a.number == b.number; };
    if (!found.empty() && std::equal(taps.begin(), taps.end(), found.back().taps.begin(),
                                     found.back().taps.end(), same)) {
      found.back().end = q + 1;
    } else {
      found.push_back({q, q + 1, std::move(taps)});
    }
  }
  return found;
}

// act(line) for all places of a piece. Lines run along the last axis, or along the first one
// where that is longer.
template <typename Act>
void for_lines(const Axis* axis, const Phase* const* phase, const Piece& piece,
               const int64_t* window, int64_t channels, const Act& act) {
  const auto first = stretches(axis[0], *phase[0], piece.begin, piece.end);
  const auto second = stretches(axis[1], *phase[1], phase[1]->begin, phase[1]->end);
  const auto third = stretches(axis[2], *phase[2], phase[2]->begin, phase[2]->end);
  std::vector<Tap> taps;
  const auto place = [&](int64_t n, const int64_t* q, bool out) {
    int64_t at = n;
    for (int i = 0; i < 3; ++i)
      at = out ? at * axis[i].out + q[i] * axis[i].step_out + phase[i]->shift
               : at * axis[i].in + q[i] * axis[i].step_in;
    return at * channels;
  };
  for (auto& a : first)
    for (auto& b : second)
      for (auto& c : third) {
        taps.clear();
        for (auto& i : a.taps)
          for (auto& j : b.taps)
            for (auto& k : c.taps)
              taps.push_back(
                  {(i.number * window[1] + j.number) * window[2] + k.number,
                   ((i.offset * axis[1].in + j.offset) * axis[2].in + k.offset) * channels});
        const bool along = c.end - c.begin >= a.end - a.begin;  // the last axis
        const int64_t in = along ? axis[2].step_in : axis[0].step_in * axis[1].in * axis[2].in;
        const int64_t out = along ? axis[2].step_out : axis[0].step_out * axis[1].out * axis[2].out;
        Line line{0, 0, along ? c.end - c.begin : a.end - a.begin, in * channels, out * channels,
                  taps.data(), (int64_t)taps.size()};
        const int64_t others = along ? a.end - a.begin : c.end - c.begin;
        for (int64_t n = piece.image; n < piece.image + piece.images; ++n)
          for (int64_t other = 0; other < others; ++other)
            for (int64_t middle = b.begin; middle < b.end; ++middle) {
              const int64_t q[3] = {a.begin + (along ? other : 0), middle,
                                    c.begin + (along ? 0 : other)};
              line.seen = place(n, q, false), line.places = place(n, q, true);
              act(line);
            }
      }
}

template <int R>
void deep_tile(const float* a, const float* kernel, int64_t channels, float* out,
               const Line& line) {
  Vector sums[R] = {};
  for (const Tap* tap = line.taps; tap < line.taps + line.tap_count; ++tap) {
    const Vector weights = load(kernel + tap->number * channels);
    const float* at = a + tap->offset;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sums[r] += load(at + r * line.seen_step) * weights;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) store(out + r * line.places_step, sums[r]);
}

// All channels of a line; the last vector of channels overlaps the one before.
inline void deep_line(const float* a, const float* kernel, int64_t channels, float* out,
                      const Line& line) {
  for (int64_t block = 0; block < channels; block += kWidth) {
    const int64_t c = std::min(block, channels - kWidth);
    int64_t p = 0;
    const auto some = [&](auto tile, int rows) {
      for (; p + rows <= line.count; p += rows)
        tile(a + line.seen + p * line.seen_step + c, kernel + c, channels,
             out + line.places + p * line.places_step + c, line);
    };
    some(deep_tile<8>, 8);
    some(deep_tile<4>, 4);
    some(deep_tile<1>, 1);
  }
}

template <int R>
void deep_collect_tile(const float* a, const float* b, int64_t channels, float* out,
                       const Line& line, int64_t first) {
  const Tap* taps = line.taps + first;
  Vector sums[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) sums[r] = load(out + taps[r].number * channels);
  for (int64_t p = 0; p < line.count; ++p, a += line.seen_step, b += line.places_step) {
    const Vector weights = load(b);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sums[r] += load(a + taps[r].offset) * weights;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) store(out + taps[r].number * channels, sums[r]);
}

// Add a line's part of the kernel's gradient.
inline void deep_collect(const float* a, const float* b, int64_t channels, float* sums,
                         const Line& line) {
  const int64_t whole = channels - channels % kWidth;
  for (int64_t c = 0; c < whole; c += kWidth) {
    int64_t t = 0;
    const auto some = [&](auto tile, int taps) {
      for (; t + taps <= line.tap_count; t += taps)
        tile(a + line.seen + c, b + line.places + c, channels, sums + c, line, t);
    };
    some(deep_collect_tile<9>, 9);
    some(deep_collect_tile<6>, 6);
    some(deep_collect_tile<3>, 3);
    some(deep_collect_tile<1>, 1);
  }
  for (int64_t t = 0; t < line.tap_count; ++t)
    for (int64_t c = whole; c < channels; ++c)
      for (int64_t p = 0; p < line.count; ++p)
        sums[line.taps[t].number * channels + c] +=
            a[line.seen + p * line.seen_step + line.taps[t].offset + c] *
            b[line.places + p * line.places_step + c];
}

}  // namespace nacre
