// Convolution and its gradients: float32, channels last, one to three spatial axes, groups.
//
// Two maps. `slide` is the convolution and its gradient by the input: both gather a window of one
// array for every place of the other. `collect` is the gradient by the kernel. Sums stay in
// registers, places × filters in one, kernel rows × filters in the other; the other factor is
// read as scalars that fill a vector. Nothing is laid out as a matrix of patches. Results with few
// channels, where such vectors would be mostly empty, are made by `scatter`; depthwise kernels have
// vectors along the channels.
//
// After Georganas et al. 2018, arXiv:1808.05567 (direct convolution), without its blocked layouts.
#include "depthwise.h"
#include "sliding.h"

namespace {

using namespace nacre;

constexpr int kWidest = kRegisters == 32 ? 4 : 2;  // vectors of filters in the largest tile
constexpr int64_t kPanelDepth = 1536;  // kernel rows in one pass over the places: 384 KiB of panel

// --- filters in blocks of 4, 2 or 1 vectors ------------------------------------------------------

struct Block {
  int64_t first, valid;
  int vectors;
  int64_t width() const { return vectors * kWidth; }
};

std::vector<Block> blocks_of(int64_t filters) {
  std::vector<Block> blocks;
  for (int64_t first = 0; first < filters;) {
    const int64_t vectors = std::min<int64_t>(ceil_div(filters - first, kWidth), kWidest);
    const int taken = vectors == 3 ? 2 : vectors;
    const int64_t valid = std::min<int64_t>(filters - first, taken * kWidth);
    blocks.push_back({first, valid, taken});
    first += valid;
  }
  return blocks;
}

// --- tiles: sums in registers --------------------------------------------------------------------

// A tile's addresses need nearly all registers: inside another function some would be in memory.
#define NACRE_OUTSIDE __attribute__((noinline))

struct Run {
  int64_t offset, length;  // scalars that lie side by side in the slab
};

template <int N>
constexpr int rows_of() {
  return kRegisters == 32 ? (N == 4 ? 6 : 9) : (N == 2 ? 5 : 9);
}

template <int N>
NACRE_INLINE void put(const Vector (&sums)[N], float* to, int64_t valid, bool adds) {
  if (valid == N * kWidth) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      store(to + n * kWidth, adds ? load(to + n * kWidth) + sums[n] : sums[n]);
    return;
  }
  float part[N * kWidth];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) store(part + n * kWidth, sums[n]);
  for (int64_t f = 0; f < valid; ++f) to[f] = adds ? to[f] + part[f] : part[f];
}

template <int R, int N>
NACRE_OUTSIDE void slide_tile(const float* a, const int64_t* seen, const Run* runs,
                              int64_t count, const float* panel, float* out,
                              const int64_t* places, int64_t valid, bool adds) {
  Vector sums[R][N] = {};
  for (const Run* run = runs; run < runs + count; ++run) {
    const float* rows[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) rows[r] = a + seen[r] + run->offset;
    for (int64_t k = 0; k < run->length; ++k, panel += N * kWidth) {
      Vector weights[N];
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) weights[n] = load(panel + n * kWidth);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sums[r][n] += rows[r][k] * weights[n];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) put(sums[r], out + places[r], valid, adds);
}

template <int N>
void slide_places(const float* a, const int64_t* seen, int64_t count, const Run* runs,
                  int64_t run_count, const float* panel, float* out, const int64_t* places,
                  int64_t valid, bool adds) {
  constexpr int R = rows_of<N>();
  int64_t p = 0;
  const auto some = [&](auto tile, int rows) {
    for (; p + rows <= count; p += rows)
      tile(a, seen + p, runs, run_count, panel, out, places + p, valid, adds);
  };
  some(slide_tile<R, N>, R);
  some(slide_tile<4, N>, 4);
  some(slide_tile<2, N>, 2);
  some(slide_tile<1, N>, 1);
}

void slide_block(const Block& block, const float* a, const int64_t* seen, int64_t count,
                 const Run* runs, int64_t run_count, const float* panel, float* out,
                 const int64_t* places, bool adds) {
  const auto go = block.vectors == kWidest ? slide_places<kWidest>
                  : block.vectors == 2     ? slide_places<2>
                                           : slide_places<1>;
  go(a, seen, count, runs, run_count, panel, out + block.first, places, block.valid, adds);
}

template <int R, int N>
NACRE_OUTSIDE void collect_tile(const float* a, const int64_t* seen, const int64_t* rows,
                                const float* b, int64_t step, int64_t count, float* out,
                                int64_t out_step, int64_t valid) {
  Vector sums[R][N] = {};
  for (int64_t p = 0; p < count; ++p, b += step) {
    const float* at = a + seen[p];
    Vector weights[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) weights[n] = load(b + n * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sums[r][n] += at[rows[r]] * weights[n];
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) put(sums[r], out + r * out_step, valid, true);
}

template <int N>
void collect_rows(const float* a, const int64_t* seen, const int64_t* rows, int64_t row_count,
                  const float* b, int64_t step, int64_t count, float* out, int64_t out_step,
                  int64_t valid) {
  constexpr int R = rows_of<N>();
  int64_t k = 0;
  const auto some = [&](auto tile, int taken) {
    for (; k + taken <= row_count; k += taken)
      tile(a, seen, rows + k, b, step, count, out + k * out_step, out_step, valid);
  };
  some(collect_tile<R, N>, R);
  some(collect_tile<4, N>, 4);
  some(collect_tile<3, N>, 3);
  some(collect_tile<1, N>, 1);
}

// --- the kernel in panels: rows of one block's filters, side by side -----------------------------

void copy_panel(const float* from, int64_t step, int64_t depth, const Block& block, float* to) {
  for (int64_t k = 0; k < depth; ++k, to += block.width()) {
    std::memcpy(to, from + k * step + block.first, block.valid * sizeof(float));
    std::memset(to + block.valid, 0, (block.width() - block.valid) * sizeof(float));
  }
}

// The same of a kernel that lies the other way: filter f of depth k is from[f · step + k].
void turn_panel(const float* from, int64_t step, int64_t depth, const Block& block, float* to) {
  const int64_t width = block.width();
  if (block.valid < width) std::memset(to, 0, depth * width * sizeof(float));
  for (int64_t first = 0; first < depth; first += 16) {  // squares, for the cache's sake
    const int64_t last = std::min(first + 16, depth);
    for (int64_t f = 0; f < block.valid; ++f) {
      const float* line = from + (block.first + f) * step;
      for (int64_t k = first; k < last; ++k) to[k * width + f] = line[k];
    }
  }
}

class Panels {
 public:
  Panels(const Call& call, const Shape& s, const Axis* axis, const std::vector<Block>& blocks,
         bool backward, const float* kernel)
      : scratch_(size(s, axis, blocks, backward)) {
    struct Part {
      int64_t tap, group;
      const Block* block;
      float* to;
    };
    std::vector<Part> parts;
    const int64_t depth = backward ? s.filters : s.channels, row = s.groups * s.filters;
    const int64_t whole[3] = {1, 1, 1};
    float* to = scratch_.data();
    for_phases(axis, [&](const Phase* const* phase) {
      const auto taps = list_taps(phase, s.window, whole, 1);
      for (int64_t g = 0; g < s.groups; ++g)
        for (auto& block : blocks) {
          starts_.push_back(to);
          for (auto& tap : taps) {
            parts.push_back({tap.number, g, &block, to});
            to += depth * block.width();
          }
        }
    });
    const int64_t count = parts.size(), large = (to - scratch_.data()) > 16384;
    const int64_t lots = large ? std::min(count, 4 * call.threads()) : 1;
    parallel(call, lots, [&](int64_t lot) {
      for (int64_t i = count * lot / lots; i < count * (lot + 1) / lots; ++i) {
        const Part& part = parts[i];
        const float* from = kernel + part.tap * s.channels * row + part.group * s.filters;
        (backward ? turn_panel : copy_panel)(from, row, depth, *part.block, part.to);
      }
    });
  }
  // Panels are numbered as they are used: by phase, group, block.
  const float* operator[](int64_t number) const { return starts_[number]; }

 private:
  static int64_t size(const Shape& s, const Axis* axis, const std::vector<Block>& blocks,
                      bool backward) {
    int64_t width = 0, taps = 0;
    for (auto& block : blocks) width += block.width();
    for_phases(axis, [&](const Phase* const* phase) {
      taps += phase[0]->taps.size() * phase[1]->taps.size() * phase[2]->taps.size();
    });
    return taps * s.groups * width * (backward ? s.filters : s.channels) + kWidth;
  }
  Scratch scratch_;
  std::vector<const float*> starts_;
};

// --- the convolution, and its gradient by the input ----------------------------------------------

// Taps that follow each other in the slab become one run, up to the depth of a panel.
std::vector<Run> runs_of(const std::vector<Tap>& taps, int64_t depth, bool joins) {
  std::vector<Run> runs;
  for (auto& tap : taps) {
    const bool follows = joins && !runs.empty() && runs.back().length + depth <= kPanelDepth &&
                         runs.back().offset + runs.back().length == tap.offset;
    if (follows) {
      runs.back().length += depth;
    } else {
      runs.push_back({tap.offset, depth});
    }
  }
  return runs;
}

// Tells whether all these places of an array, `channels` numbers each, are finite.
bool all_finite(const float* from, const int64_t* places, int64_t count, int64_t channels) {
  Vector sum{};  // a number times 0 is 0, unless it is infinite or NaN
  for (int64_t p = 0; p < count; ++p)
    for (int64_t c = 0; c < channels; c += kWidth)
      sum += load_part(from + places[p] + c, channels - c) * 0.0f;
  for (int i = 0; i < kWidth; ++i)
    if (sum[i] != 0) return false;
  return true;
}

// `finite`, unless null, becomes false where a result is not.
void slide(const Call& call, const Shape& s, bool backward, const float* a, const float* kernel,
           float* out, std::atomic<bool>* finite = nullptr) {
  Axis axis[3];
  int64_t places = s.batch;
  for (int i = 0; i < 3; ++i) {
    axis[i] = backward ? s.backward_axis(i) : s.forward_axis(i);
    places *= axis[i].end - axis[i].begin;
  }
  const int64_t depth = backward ? s.filters : s.channels;
  const int64_t width = backward ? s.channels : s.filters;
  const int64_t channels = s.groups * depth, out_channels = s.groups * width;
  const int64_t most = std::max<int64_t>(96, places / (3 * call.threads()));
  const auto pieces = cut(axis, s.batch, channels, 48, most);
  if (is_depthwise(s)) {
    return parallel(call, pieces.size(), [&](int64_t number) {
      for_phases(axis, [&](const Phase* const* phase) {
        for_lines(axis, phase, pieces[number], s.window, channels,
                  [&](const Line& line) { deep_line(a, kernel, channels, out, line); });
      });
    });
  }
  const auto blocks = blocks_of(width);
  const Panels panels(call, s, axis, blocks, backward, kernel);
  parallel(call, pieces.size(), [&](int64_t number) {
    const Piece& piece = pieces[number];
    const Slab slab = take(a, axis, piece, channels);
    auto& mine = Workspace::mine();
    int64_t next = 0;
    for_phases(axis, [&](const Phase* const* phase) {
      const int64_t count = list_places(axis, phase, piece, slab, channels, out_channels);
      const auto taps = list_taps(phase, s.window, slab.extent, channels);
      const auto runs = runs_of(taps, depth, s.groups == 1);
      for (int64_t g = 0; g < s.groups; ++g)
        for (auto& block : blocks) {
          const float* panel = panels[next++];
          size_t first = 0, last = 0;
          do {  // as many runs at a time as stay in the cache; without any, zeros
            int64_t sum = 0;
            while (last < runs.size() && (!sum || sum + runs[last].length <= kPanelDepth))
              sum += runs[last++].length;
            slide_block(block, slab.data + g * depth, mine.seen.data(), count, runs.data() + first,
                        last - first, panel, out + g * width, mine.places.data(), first > 0);
            panel += sum * block.width();
            first = last;
          } while (first < runs.size());
        }
      if (finite && !all_finite(out, mine.places.data(), count, out_channels)) *finite = false;
    });
  });
}

// --- results with few channels -------------------------------------------------------------------

// All taps' products at once, vectors along (tap, channel), then each is added where it belongs:
// from narrow to wide by any stride, or from wide to narrow by stride 1 (the window turned).
struct Scatter {
  int64_t batch, depth, few, in[3], out[3], window[3], stride[3], pad[3], dilation[3];

  Scatter(const Shape& s, bool backward)
      : batch(s.batch), depth(backward ? s.filters : s.channels),
        few(backward ? s.channels : s.filters) {
    for (int i = 0; i < 3; ++i) {
      in[i] = backward ? s.narrow[i] : s.wide[i];
      out[i] = backward ? s.wide[i] : s.narrow[i];
      window[i] = s.window[i], stride[i] = s.stride[i], dilation[i] = s.dilation[i];
      pad[i] = backward ? s.pad[i] : (s.window[i] - 1) * s.dilation[i] - s.pad[i];
    }
  }
  static bool wins(const Shape& s, bool backward) {
    const bool unit = s.stride[0] == 1 && s.stride[1] == 1 && s.stride[2] == 1;
    const int64_t few = backward ? s.channels : s.filters;
    return s.groups == 1 && s.taps() > 1 && 2 * few < kWidth && (backward || unit);
  }

  // Places of the first axis of `in` that reach rows begin <= row < end of `out`.
  void reach(int64_t begin, int64_t end, int64_t& first, int64_t& last) const {
    const int64_t low = begin + pad[0] - (window[0] - 1) * dilation[0];
    first = std::max<int64_t>(0, ceil_div(low, stride[0]));
    last = std::min(in[0], ceil_div(end + pad[0], stride[0]));
  }

  // Add one place's products to the rows begin <= row < end of an image.
  void add(const float* products, const int64_t* place, float* image, int64_t begin,
           int64_t end) const {
    const int64_t line = out[2] * few, run = window[2] * few;
    const int64_t start = place[2] * stride[2] - pad[2];
    for (int64_t i = 0; i < window[0]; ++i) {
      const int64_t row = place[0] * stride[0] - pad[0] + i * dilation[0];
      if (row < begin || row >= end) continue;
      for (int64_t j = 0; j < window[1]; ++j) {
        const int64_t column = place[1] * stride[1] - pad[1] + j * dilation[1];
        if (column < 0 || column >= out[1]) continue;
        const float* from = products + (i * window[1] + j) * run;
        float* to = image + (row * out[1] + column) * line;
        if (dilation[2] == 1 && start >= 0 && start + window[2] <= out[2]) {
          for (int64_t k = 0; k < run; ++k) to[start * few + k] += from[k];
          continue;
        }
        for (int64_t t = 0; t < window[2]; ++t) {
          const int64_t at = start + t * dilation[2];
          if (at < 0 || at >= out[2]) continue;
          for (int64_t c = 0; c < few; ++c) to[at * few + c] += from[t * few + c];
        }
      }
    }
  }
};

void scatter(const Call& call, const Shape& s, bool backward, const float* a, const float* kernel,
             float* out) {
  const Scatter g(s, backward);
  const int64_t columns = s.taps() * g.few, padded = ceil_div(columns, kWidth) * kWidth;
  const auto blocks = blocks_of(columns);
  Scratch panels(g.depth * padded + kWidth * kWidest * g.depth), turned(g.depth * columns);
  std::vector<const float*> starts;
  const float* rows = kernel;  // (taps · few, depth)
  if (!backward) {             // from (taps, depth, few) to (depth, taps turned, few)
    for (int64_t t = 0; t < s.taps(); ++t)
      for (int64_t k = 0; k < g.depth; ++k)
        std::memcpy(turned.data() + (k * s.taps() + s.taps() - 1 - t) * g.few,
                    kernel + (t * g.depth + k) * g.few, g.few * sizeof(float));
    rows = turned.data();
  }
  float* to = panels.data();
  for (auto& block : blocks) {
    starts.push_back(to);
    (backward ? turn_panel : copy_panel)(rows, backward ? g.depth : columns, g.depth, block, to);
    to += g.depth * block.width();
  }

  const int64_t area_in = g.in[0] * g.in[1] * g.in[2], area_out = g.out[0] * g.out[1] * g.out[2];
  const int64_t wanted = ceil_div(4 * call.threads(), g.batch);
  const int64_t bands = std::min(wanted, std::max<int64_t>(1, g.out[0] / (4 * g.window[0])));
  const int64_t lot = 96;  // places whose products are made at once
  parallel(call, g.batch * bands, [&](int64_t number) {
    const int64_t image = number / bands, band = number % bands;
    const int64_t begin = g.out[0] * band / bands, end = g.out[0] * (band + 1) / bands;
    float* to = out + image * area_out * g.few;
    const int64_t row = g.out[1] * g.out[2] * g.few;
    std::memset(to + begin * row, 0, (end - begin) * row * sizeof(float));
    int64_t first, last;
    g.reach(begin, end, first, last);
    const int64_t in_row = g.in[1] * g.in[2];
    auto& mine = Workspace::mine();
    mine.part.resize(lot * padded + kWidth);
    mine.seen.resize(lot), mine.places.resize(lot);
    const Run run{0, g.depth};
    for (int64_t p = first * in_row; p < last * in_row; p += lot) {
      const int64_t count = std::min(lot, last * in_row - p);
      for (int64_t i = 0; i < count; ++i) {
        mine.seen[i] = (image * area_in + p + i) * g.depth;
        mine.places[i] = i * padded;
      }
      for (size_t b = 0; b < blocks.size(); ++b)
        slide_block(blocks[b], a, mine.seen.data(), count, &run, 1, starts[b], mine.part.data(),
                    mine.places.data(), false);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t at = p + i;
        const int64_t place[3] = {at / in_row, at % in_row / g.in[2], at % g.in[2]};
        g.add(mine.part.data() + i * padded, place, to, begin, end);
      }
    }
  });
}

// --- the gradient by the kernel ------------------------------------------------------------------

struct Collect {
  const Shape& s;
  Axis axis[3];
  const Phase* phase[3];
  std::vector<Piece> pieces;
  std::vector<Block> blocks;
  int64_t channels, filters, rows;  // of all groups; kernel rows of one group

  explicit Collect(const Shape& shape) : s(shape) {
    for (int i = 0; i < 3; ++i) {
      axis[i] = s.forward_axis(i);
      phase[i] = &axis[i].phases[0];
    }
    channels = s.groups * s.channels, filters = s.groups * s.filters;
    rows = s.taps() * s.channels;
    pieces = cut(axis, s.batch, channels, 64, 512);
    blocks = blocks_of(s.filters);
  }
  int64_t size() const { return rows * filters; }

  // Add a piece's part of some kernel rows, counted over all groups.
  void add(const Piece& piece, const float* x, const float* dy, int64_t first, int64_t last,
           float* sums) const {
    if (is_depthwise(s)) {
      return for_lines(axis, phase, piece, s.window, channels, [&](const Line& line) {
        deep_collect(x, dy, channels, sums, line);
      });
    }
    const Slab slab = take(x, axis, piece, channels);
    const int64_t count = list_places(axis, phase, piece, slab, channels, filters);
    const auto taps = list_taps(phase, s.window, slab.extent, channels);
    if (count == 0) return;  // a window that fits nowhere
    auto& mine = Workspace::mine();
    const float* b = dy + mine.places[0];  // a piece's places follow each other
    std::vector<int64_t> offsets(rows);
    for (int64_t k = 0; k < rows; ++k)
      offsets[k] = taps[k / s.channels].offset + k % s.channels;
    for (int64_t group = first / rows; group * rows < last; ++group)
      for (auto& block : blocks) {
        const int64_t begin = std::max(first - group * rows, int64_t{0});
        const int64_t end = std::min(last - group * rows, rows);
        const float* from = b + group * s.filters + block.first;
        int64_t step = filters;
        if (block.valid < block.width()) {  // vectors must not read past the filters
          mine.part.assign(count * block.width(), 0);
          for (int64_t p = 0; p < count; ++p)
            std::memcpy(&mine.part[p * block.width()], from + p * filters,
                        block.valid * sizeof(float));
          from = mine.part.data(), step = block.width();
        }
        const auto go = block.vectors == kWidest ? collect_rows<kWidest>
                        : block.vectors == 2     ? collect_rows<2>
                                                 : collect_rows<1>;
        go(slab.data + group * s.channels, mine.seen.data(), &offsets[begin], end - begin, from,
           step, count, sums + begin * filters + group * s.filters + block.first, filters,
           block.valid);
      }
  }
};

// Shares and their order depend on the shapes and the number of threads only: results repeat.
void collect(const Call& call, const Shape& s, const float* x, const float* dy, float* dk) {
  const Collect work(s);
  const int64_t size = work.size(), count = work.pieces.size(), all = s.groups * work.rows;
  int64_t shares = std::min(count, 3 * call.threads());
  if (size > (128 << 10) || shares < call.threads()) {  // each share some rows, of all pieces
    shares = is_depthwise(s) ? 1 : std::min(ceil_div(all, 6), 2 * call.threads());
    std::memset(dk, 0, size * sizeof(float));
    parallel(call, shares, [&](int64_t share) {
      // Whole tiles of 6 or 9 rows, but for the last share.
      const auto edge = [&](int64_t i) { return i == shares ? all : all * i / shares / 18 * 18; };
      for (auto& piece : work.pieces) work.add(piece, x, dy, edge(share), edge(share + 1), dk);
    });
    return;
  }
  const Scratch scratch(shares * size);  // each share some pieces, into sums of its own
  parallel(call, shares, [&](int64_t share) {
    float* sums = scratch.data() + share * size;
    std::memset(sums, 0, size * sizeof(float));
    for (int64_t i = count * share / shares; i < count * (share + 1) / shares; ++i)
      work.add(work.pieces[i], x, dy, 0, all, sums);
  });
  std::memcpy(dk, scratch.data(), size * sizeof(float));
  for (int64_t share = 1; share < shares; ++share)
    for (int64_t i = 0; i < size; ++i) dk[i] += scratch.data()[share * size + i];
}

// --- small groups --------------------------------------------------------------------------------

// Groups with less than a vector of filters are taken some at a time, as one group whose kernel is
// zero outside its diagonal blocks: as many products, but whole vectors.
struct Joined {
  const Shape& s;
  Shape joined;
  int64_t number;  // of groups taken together

  explicit Joined(const Shape& shape) : s(shape), joined(shape), number(1) {
    const int64_t least = std::min(s.channels, s.filters);
    if (is_depthwise(s)) return;
    for (int64_t n = 2; n <= s.groups && n * least <= kWidth; ++n)
      if (s.groups % n == 0 && n * std::max(s.channels, s.filters) <= 4 * kWidth) number = n;
    joined.groups /= number, joined.channels *= number, joined.filters *= number;
  }
  int64_t size() const { return s.taps() * joined.channels * joined.groups * joined.filters; }

  // act(place in the small kernel, place in the joined one) for each row of one group's filters.
  template <typename Act>
  void for_rows(const Act& act) const {
    const int64_t filters = s.groups * s.filters;
    for (int64_t t = 0; t < s.taps(); ++t)
      for (int64_t c = 0; c < s.channels; ++c)
        for (int64_t g = 0; g < s.groups; ++g)
          act(((t * s.channels + c) * filters) + g * s.filters,
              (t * joined.channels + g % number * s.channels + c) * filters + g * s.filters);
  }
};

// --- calls ---------------------------------------------------------------------------------------

// Arguments: input, kernel, numbers of the shape. Attribute: backward.
void run_slide(const Call& call) {
  const Shape shape(call.argument<int32_t>(2));
  const bool backward = call.attribute("backward");
  const float *input = call.argument(0), *kernel = call.argument(1);
  const Joined groups(shape);
  if (groups.number > 1) {
    const Scratch wide(groups.size());
    std::memset(wide.data(), 0, groups.size() * sizeof(float));
    groups.for_rows([&](int64_t from, int64_t to) {
      std::memcpy(wide.data() + to, kernel + from, shape.filters * sizeof(float));
    });
    std::atomic<bool> finite{true};
    slide(call, groups.joined, backward, input, wide.data(), call.result(0), &finite);
    if (finite) return;
    // Zero times infinity is NaN: what one group holds must not reach its neighbours.
    return slide(call, shape, backward, input, kernel, call.result(0));
  }
  if (Scatter::wins(shape, backward))
    return scatter(call, shape, backward, input, kernel, call.result(0));
  slide(call, shape, backward, input, kernel, call.result(0));
}

// Arguments: input, gradient of the output, numbers of the shape.
void run_collect(const Call& call) {
  const Shape shape(call.argument<int32_t>(2));
  const Joined groups(shape);
  if (groups.number == 1)
    return collect(call, shape, call.argument(0), call.argument(1), call.result(0));
  const Scratch wide(groups.size());
  collect(call, groups.joined, call.argument(0), call.argument(1), wide.data());
  groups.for_rows([&](int64_t to, int64_t from) {
    std::memcpy(call.result(0) + to, wide.data() + from, shape.filters * sizeof(float));
  });
}

}  // namespace

NACRE_HANDLER(convolution_slide, run_slide)
NACRE_HANDLER(convolution_collect, run_collect)
