// Max pooling and its gradient, float32, channels last, vectors along the channels.
//
// The forward pass notes which tap of each window won, in one byte, so the gradient needs neither
// input nor output again. The gradient is gathered: each place of the input asks the windows that
// saw it and is written once, so pieces of work never meet.

#include <type_traits>

#include "sliding.h"

namespace {

using namespace nacre;

typedef int8_t Bytes __attribute__((vector_size(kWidth)));
typedef int16_t Halves __attribute__((vector_size(kWidth * 2)));

NACRE_INLINE Integers load_bytes(const uint8_t* from, int64_t count) {
  Bytes bytes{};
  if (__builtin_expect(count >= kWidth, 1)) {
    std::memcpy(&bytes, from, kWidth);
  } else {
    std::memcpy(&bytes, from, count);
  }
  // In two steps and signed: GCC 12 takes any other way number by number.
  return __builtin_convertvector(__builtin_convertvector(bytes, Halves), Integers);
}
NACRE_INLINE void store_bytes(uint8_t* to, Integers value, int64_t count) {
  const Bytes bytes = __builtin_convertvector(value, Bytes);
  if (__builtin_expect(count >= kWidth, 1)) {
    std::memcpy(to, &bytes, kWidth);
  } else {
    std::memcpy(to, &bytes, count);
  }
}

// From `begin` on and before `end`, along the three axes.
struct Box {
  int64_t begin[3], end[3];
};

struct Pooling {
  const Shape s;
  const int64_t channels;

  explicit Pooling(const int32_t* numbers) : s(numbers), channels(s.groups * s.channels) {}

  // The taps of the window at an output place that lie inside the input.
  void taps(int axis, int64_t place, Box& box) const {
    const int64_t first = place * s.stride[axis] - s.pad[axis];
    box.begin[axis] = std::max<int64_t>(0, -first);
    box.end[axis] = std::min(s.window[axis], s.wide[axis] - first);
  }
  // The output places whose windows see an input place.
  void windows(int axis, int64_t place, Box& box) const {
    const int64_t at = place + s.pad[axis];
    box.begin[axis] = std::max<int64_t>(0, ceil_div(at - s.window[axis] + 1, s.stride[axis]));
    box.end[axis] = std::min(s.narrow[axis], at / s.stride[axis] + 1);
  }
  // Of tap (i, j, k), in row-major order.
  int64_t number(int64_t i, int64_t j, int64_t k) const {
    return (i * s.window[1] + j) * s.window[2] + k;
  }
};

// The number of place q of an image.
int64_t flat(const int64_t* sizes, int64_t image, const int64_t* q) {
  return ((image * sizes[0] + q[0]) * sizes[1] + q[1]) * sizes[2] + q[2];
}

// The largest value of one window, and the tap that holds it, for R vectors of channels. The first
// of equal values wins, and NaN wins over numbers.
template <int R, bool kWinners>
void window_highest(const Pooling& p, const float* x, const int64_t* q, const Box& taps, float* y,
                    uint8_t* winners, int64_t count) {
  const Shape& s = p.s;
  Vector best[R];
  Integers number[R];
  for (int r = 0; r < R; ++r) best[r] = fill(-__builtin_inff()), number[r] = Integers{};
  bool first = true;
  for (int64_t i = taps.begin[0]; i < taps.end[0]; ++i)
    for (int64_t j = taps.begin[1]; j < taps.end[1]; ++j) {
      const float* line = x + ((q[0] * s.stride[0] - s.pad[0] + i) * s.wide[1] +
                               (q[1] * s.stride[1] - s.pad[1] + j)) *
                                  s.wide[2] * p.channels +
                          (q[2] * s.stride[2] - s.pad[2]) * p.channels;
      for (int64_t k = taps.begin[2]; k < taps.end[2]; ++k) {
        const Integers here = Integers{} + (int32_t)p.number(i, j, k);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const Vector value = load_part(line + k * p.channels + r * kWidth, count);
          const Integers better = ~(value <= best[r]) & (best[r] == best[r]);
          const Integers wins = first ? ~Integers{} : better;
          best[r] = choose(wins, value, best[r]);
          if (kWinners) number[r] = wins ? here : number[r];
        }
        first = false;
      }
    }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    store_part(y + r * kWidth, best[r], count);
    if (kWinners) store_bytes(winners + r * kWidth, number[r], count);
  }
}

// The gradient at one input place, for R vectors of channels.
template <int R>
void gather(const Pooling& p, const uint8_t* winners, const float* dy, const int64_t* q,
            const Box& windows, float* dx, int64_t count) {
  const Shape& s = p.s;
  Vector sums[R] = {};
  for (int64_t i = windows.begin[0]; i < windows.end[0]; ++i)
    for (int64_t j = windows.begin[1]; j < windows.end[1]; ++j) {
      const int64_t line = (i * s.narrow[1] + j) * s.narrow[2];
      const int64_t tap = p.number(q[0] + s.pad[0] - i * s.stride[0],
                                   q[1] + s.pad[1] - j * s.stride[1], q[2] + s.pad[2]);
      for (int64_t k = windows.begin[2]; k < windows.end[2]; ++k) {
        const Integers here = Integers{} + (int32_t)(tap - k * s.stride[2]);
        const int64_t from = (line + k) * p.channels;
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const Integers won = load_bytes(winners + from + r * kWidth, count) == here;
          sums[r] += choose(won, load_part(dy + from + r * kWidth, count), Vector{});
        }
      }
    }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) store_part(dx + r * kWidth, sums[r], count);
}

// act(tile, channel, count) over channels [begin, end) with tiles of 4, 2 and 1 vectors; the last
// vector overlaps the one before.
template <typename Act>
NACRE_INLINE void for_vectors(int64_t begin, int64_t end, const Act& act) {
  int64_t c = begin;
  for (; c + 4 * kWidth <= end; c += 4 * kWidth) act(std::integral_constant<int, 4>{}, c, kWidth);
  if (c + 2 * kWidth <= end) act(std::integral_constant<int, 2>{}, c, kWidth), c += 2 * kWidth;
  if (c + kWidth <= end) act(std::integral_constant<int, 1>{}, c, kWidth), c += kWidth;
  if (c == end) return;
  const bool whole = end - begin >= kWidth;
  act(std::integral_constant<int, 1>{}, whole ? end - kWidth : c, whole ? kWidth : end - c);
}

// act(image, first channel, last channel + 1) on all threads; images are cut by channels only when
// there are few.
template <typename Act>
void for_pieces(const Call& call, const Pooling& p, const Act& act) {
  const int64_t wanted = ceil_div(3 * call.threads(), p.s.batch);
  const int64_t cuts = std::max<int64_t>(1, std::min(wanted, p.channels / kWidth));
  const auto edge = [&](int64_t i) {
    return i == cuts ? p.channels : p.channels * i / cuts / kWidth * kWidth;
  };
  parallel(call, p.s.batch * cuts, [&](int64_t piece) {
    act(piece / cuts, edge(piece % cuts), edge(piece % cuts + 1));
  });
}

// act(place, box) for all places of `sizes`, with the box that `reach` finds for each axis.
template <typename Reach, typename Act>
NACRE_INLINE void for_places(const int64_t* sizes, const Reach& reach, const Act& act) {
  int64_t q[3];
  Box box;
  for (q[0] = 0; q[0] < sizes[0]; ++q[0]) {
    reach(0, q[0], box);
    for (q[1] = 0; q[1] < sizes[1]; ++q[1]) {
      reach(1, q[1], box);
      for (q[2] = 0; q[2] < sizes[2]; ++q[2]) {
        reach(2, q[2], box);
        act(q, box);
      }
    }
  }
}

template <bool kWinners>
void highest(const Call& call, const Pooling& p, const float* x, float* y, uint8_t* winners) {
  for_pieces(call, p, [&](int64_t image, int64_t begin, int64_t end) {
    const int64_t origin[3] = {};
    const float* seen = x + flat(p.s.wide, image, origin) * p.channels;
    const auto reach = [&](int axis, int64_t place, Box& box) { p.taps(axis, place, box); };
    for_places(p.s.narrow, reach, [&](const int64_t* q, const Box& taps) {
      const int64_t out = flat(p.s.narrow, image, q) * p.channels;
      for_vectors(begin, end, [&](auto tile, int64_t c, int64_t count) {
        window_highest<tile.value, kWinners>(p, seen + c, q, taps, y + out + c,
                                             kWinners ? winners + out + c : nullptr, count);
      });
    });
  });
}

// Arguments: input, numbers of the shape. Results: output and, with attribute `winners`, taps.
void run_highest(const Call& call) {
  const Pooling p(call.argument<int32_t>(1));
  if (call.attribute("winners"))
    return highest<true>(call, p, call.argument(0), call.result(0), call.result<uint8_t>(1));
  highest<false>(call, p, call.argument(0), call.result(0), nullptr);
}

// Arguments: winning taps, gradient of the output, numbers of the shape.
void run_put(const Call& call) {
  const Pooling p(call.argument<int32_t>(2));
  const auto* winners = call.argument<uint8_t>(0);
  const float* dy = call.argument(1);
  float* dx = call.result(0);
  for_pieces(call, p, [&](int64_t image, int64_t begin, int64_t end) {
    const int64_t origin[3] = {};
    const int64_t first = flat(p.s.narrow, image, origin) * p.channels;
    const auto reach = [&](int axis, int64_t place, Box& box) { p.windows(axis, place, box); };
    for_places(p.s.wide, reach, [&](const int64_t* q, const Box& windows) {
      const int64_t to = flat(p.s.wide, image, q) * p.channels;
      for_vectors(begin, end, [&](auto tile, int64_t c, int64_t count) {
        gather<tile.value>(p, winners + first + c, dy + first + c, q, windows, dx + to + c, count);
      });
    });
  });
}

}  // namespace

NACRE_HANDLER(pooling_highest, run_highest)
NACRE_HANDLER(pooling_put, run_put)
