// LSTM, GRU (reset gate after the product) and simple recurrence over whole sequences.
//
// Rows of the batch do not meet, so each thread runs some rows through all steps and threads wait
// for each other once a call, not once a step. The recurrent kernel is packed once a call into
// panels: for every block of units the columns of all its gates side by side, so that one pass over
// a panel leaves complete gates in registers and the activations follow at once.
//
// All arrays are float32 and batch-major: rows (batch, time, ·). `Cell` structs at the end of each
// section hold the formulas; the drivers know none.
#include "products.h"

namespace {

using namespace nacre;

// --- packing ---------------------------------------------------------------------------------------

// Panels of P vectors: panel[block][k][p] holds columns of `matrix` (depth, gates · units).
// With gates > 1 vector p is gate p of the block's units, else the block is P vectors of units.
void pack_gates(const Call& call, const float* matrix, int64_t units, int64_t gates, int64_t depth,
                int64_t vectors, float* packed) {
  const int64_t step = gates > 1 ? kWidth : kWidth * vectors;
  const int64_t blocks = (units + step - 1) / step;
  parallel(call, blocks, [=](int64_t block) {
    float* to = packed + block * depth * vectors * kWidth;
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t p = 0; p < vectors; ++p, to += kWidth) {
        const int64_t unit = gates > 1 ? block * step : block * step + p * kWidth;
        const int64_t count = std::min<int64_t>(units - unit, kWidth);
        const float* from = matrix + k * gates * units + (gates > 1 ? p * units : 0) + unit;
        store(to, count > 0 ? load_part(from, count) : Vector{});
      }
    }
  });
}

// Panels of the transposed: panel[block][k][·] holds matrix[unit][k] for P vectors of units.
void pack_transposed(const Call& call, const float* matrix, int64_t units, int64_t depth,
                     int64_t vectors, float* packed) {
  const int64_t step = kWidth * vectors;
  parallel(call, (units + step - 1) / step, [=](int64_t block) {
    float* to = packed + block * depth * step;
    const int64_t count = std::min(units - block * step, step);
    const float* from = matrix + block * step * depth;
    for (int64_t k0 = 0; k0 < depth; k0 += 16) {
      const int64_t end = std::min<int64_t>(k0 + 16, depth);
      for (int64_t j = 0; j < count; ++j)
        for (int64_t k = k0; k < end; ++k) to[k * step + j] = from[j * depth + k];
      for (int64_t j = count; j < step; ++j)
        for (int64_t k = k0; k < end; ++k) to[k * step + j] = 0;
    }
  });
}

// --- shapes --------------------------------------------------------------------------------------

struct Sizes {
  int64_t batch, time, units, padded;  // units rounded up to whole vectors
  int64_t rows, pieces;                // rows of a thread's piece, and how many pieces
};

Sizes sizes_of(const Call& call, int64_t batch, int64_t time, int64_t units) {
  Sizes s{batch, time, units, round_up(units, 4 * kWidth), 0, 0};
  s.rows = std::max<int64_t>((batch + call.threads() - 1) / call.threads(), 1);
  if (s.rows < kRows) s.rows = std::min<int64_t>(kRows, batch);
  s.pieces = (batch + s.rows - 1) / s.rows;
  return s;
}

// --- forward -------------------------------------------------------------------------------------

// Everything that one row's step of one block of units needs, whatever the cell.
struct ForwardArrays {
  const float* projected;       // (batch, time, gates · units)
  const float* recurrent_bias;  // (gates · units) or null; GRU only
  float* history;               // (batch, time, units)
  float* cells;                 // (batch, time, units); LSTM only
  float* saved;                 // (batch, time, saved gates · units) or null
};

// Cell: kGates, kVectors (of a panel), kSaved, and
//   step(arrays, place = row · time + t, unit, units, count, sums, state, cell) -> new state
template <typename Cell>
void forward(const Call& call, const Sizes& s, ForwardArrays arrays, const float* kernel,
             const uint8_t* mask, const float* h0, const float* c0, bool sequences, float* last) {
  constexpr int P = Cell::kVectors;
  constexpr int64_t step = Cell::kGates > 1 ? kWidth : kWidth * P;
  const int64_t blocks = (s.units + step - 1) / step, panel_size = s.units * P * kWidth;
  Scratch panels(blocks * panel_size);
  pack_gates(call, kernel, s.units, Cell::kGates, s.units, P, panels.data());
  parallel(call, s.pieces, [&](int64_t piece) {
    const int64_t first = piece * s.rows, rows = std::min(s.rows, s.batch - first);
    Scratch memory(3 * rows * s.padded);
    float* now = memory.data();
    float* next = now + rows * s.padded;
    float* cell = next + rows * s.padded;
    std::memset(now, 0, 3 * rows * s.padded * sizeof(float));
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(now + r * s.padded, h0 + (first + r) * s.units, s.units * sizeof(float));
      if (c0) std::memcpy(cell + r * s.padded, c0 + (first + r) * s.units, s.units * sizeof(float));
    }
    for (int64_t t = 0; t < s.time; ++t) {
      for (int64_t block = 0; block < blocks; ++block) {
        const float* panel = panels.data() + block * panel_size;
        all_rows<P>(now, s.padded, panel, s.units, rows, [&](int64_t r, Vector(&sums)[P]) {
          const int64_t place = (first + r) * s.time + t;
          const bool active = mask == nullptr || mask[place];
          for (int64_t v = 0; v < step / kWidth; ++v) {
            const int64_t unit = block * step + v * kWidth, count = s.units - unit;
            if (count <= 0) break;
            const float* h = now + r * s.padded + unit;
            float* c = cell + r * s.padded + unit;
            Vector old_c = load(c), new_c = old_c;
            Vector h_new = Cell::step(arrays, place, unit, s.units, count, sums + (step > kWidth ? v : 0),
                                      load(h), new_c);
            if (!active) h_new = load(h), new_c = old_c;
            store(c, new_c);
            store(next + r * s.padded + unit, h_new);
            if (sequences) store_part(arrays.history + place * s.units + unit, h_new, count);
            if (arrays.cells) store_part(arrays.cells + place * s.units + unit, new_c, count);
          }
        });
      }
      std::swap(now, next);
    }
    for (int64_t r = 0; r < rows; ++r) {
      if (!sequences) std::memcpy(arrays.history + (first + r) * s.units, now + r * s.padded, s.units * 4);
      if (last) std::memcpy(last + (first + r) * s.units, cell + r * s.padded, s.units * 4);
    }
  });
}

struct Lstm {
  static constexpr int kGates = 4, kVectors = 4, kSaved = 4, kSteps = 4;

  // c' = f · c + i · g;  h' = o · tanh(c')
  static NACRE_INLINE Vector step(const ForwardArrays& arrays, int64_t place, int64_t unit,
                                  int64_t units, int64_t count, const Vector* sums, Vector,
                                  Vector& c) {
    const float* x = arrays.projected + place * 4 * units + unit;
    Vector i = sigmoid(sums[0] + load_part(x, count));
    Vector f = sigmoid(sums[1] + load_part(x + units, count));
    Vector g = hyperbolic_tangent(sums[2] + load_part(x + 2 * units, count));
    Vector o = sigmoid(sums[3] + load_part(x + 3 * units, count));
    if (arrays.saved) {
      float* saved = arrays.saved + place * 4 * units + unit;
      store_part(saved, i, count);
      store_part(saved + units, f, count);
      store_part(saved + 2 * units, g, count);
      store_part(saved + 3 * units, o, count);
    }
    c = f * c + i * g;
    return o * hyperbolic_tangent(c);
  }
};

struct Gru {
  static constexpr int kGates = 3, kVectors = 3, kSaved = 4, kSteps = 3;

  // inside = h · R + b;  h' = candidate + z · (h - candidate), candidate = tanh(x + r · inside)
  static NACRE_INLINE Vector step(const ForwardArrays& arrays, int64_t place, int64_t unit,
                                  int64_t units, int64_t count, const Vector* sums, Vector h,
                                  Vector&) {
    const float* x = arrays.projected + place * 3 * units + unit;
    Vector inner[3] = {sums[0], sums[1], sums[2]};
    if (arrays.recurrent_bias)
      for (int p = 0; p < 3; ++p)
        inner[p] += load_part(arrays.recurrent_bias + p * units + unit, count);
    Vector z = sigmoid(inner[0] + load_part(x, count));
    Vector r = sigmoid(inner[1] + load_part(x + units, count));
    Vector candidate = hyperbolic_tangent(load_part(x + 2 * units, count) + r * inner[2]);
    if (arrays.saved) {
      float* saved = arrays.saved + place * 4 * units + unit;
      store_part(saved, z, count);
      store_part(saved + units, r, count);
      store_part(saved + 2 * units, candidate, count);
      store_part(saved + 3 * units, inner[2], count);
    }
    return candidate + z * (h - candidate);
  }
};

struct Simple {
  static constexpr int kGates = 1, kVectors = 4, kSaved = 0, kSteps = 1;

  static NACRE_INLINE Vector step(const ForwardArrays& arrays, int64_t place, int64_t unit,
                                  int64_t units, int64_t count, const Vector* sums, Vector,
                                  Vector&) {
    return hyperbolic_tangent(*sums + load_part(arrays.projected + place * units + unit, count));
  }
};

// --- backward ------------------------------------------------------------------------------------

struct BackwardArrays {
  const float* history;  // (batch, time, units)
  const float* cells;    // (batch, time, units); LSTM only
  const float* saved;    // (batch, time, kSaved · units)
  float* d_inner;        // (batch, time, gates · units): gradients of h · R
  float* d_projected;    // the same for the projected inputs; where they differ, else null
};

// Cell: unstep(arrays, place, unit, units, count, previous h, previous c, d_h, d_c, d_inner)
//   writes d_inner (kGates vectors), changes d_c, and returns what of d_h goes straight to before.
template <typename Cell>
void backward(const Call& call, const Sizes& s, BackwardArrays arrays, const float* kernel,
              const uint8_t* mask, const float* h0, const float* c0, const float* d_outputs,
              const float* d_last, const float* d_last_c, float* d_h0, float* d_c0) {
  constexpr int P = 4, G = Cell::kGates;
  const int64_t depth = G * s.units, blocks = s.padded / (P * kWidth);
  Scratch panels(blocks * depth * P * kWidth);
  pack_transposed(call, kernel, s.units, depth, P, panels.data());
  parallel(call, s.pieces, [&](int64_t piece) {
    const int64_t first = piece * s.rows, rows = std::min(s.rows, s.batch - first);
    const int64_t wide = round_up(depth, kWidth) + kWidth;  // odd number of lines: no aliasing
    Scratch memory(rows * (2 * s.padded + wide));
    float* d_hs = memory.data();
    float* d_cs = d_hs + rows * s.padded;
    float* d_inners = d_cs + rows * s.padded;
    std::memset(d_hs, 0, 2 * rows * s.padded * sizeof(float));
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t bytes = s.units * sizeof(float);
      std::memcpy(d_hs + r * s.padded, d_last + (first + r) * s.units, bytes);
      if (d_last_c) std::memcpy(d_cs + r * s.padded, d_last_c + (first + r) * s.units, bytes);
    }
    for (int64_t t = s.time - 1; t >= 0; --t) {
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t place = (first + r) * s.time + t;
        const bool active = mask == nullptr || mask[place];
        const float* before_h = t ? arrays.history + (place - 1) * s.units : h0 + (first + r) * s.units;
        const float* before_c =
            !arrays.cells ? before_h
            : t ? arrays.cells + (place - 1) * s.units : c0 + (first + r) * s.units;
        for (int64_t unit = 0; unit < s.units; unit += kWidth) {
          const int64_t count = s.units - unit;
          float* d_h = d_hs + r * s.padded + unit;
          float* d_c = d_cs + r * s.padded + unit;
          Vector dh = load(d_h), dc = load(d_c), inner[G], outer = {};
          if (d_outputs) dh += load_part(d_outputs + place * s.units + unit, count);
          if (active) {
            dh = Cell::unstep(arrays, place, unit, s.units, count, load_part(before_h + unit, count),
                              load_part(before_c + unit, count), dh, dc, inner, outer);
          } else {
            for (auto& one : inner) one = Vector{};
          }
          store(d_h, dh);
          store(d_c, dc);
          for (int g = 0; g < G; ++g) {
            store_part(d_inners + r * wide + g * s.units + unit, inner[g], count);
            store_part(arrays.d_inner + place * depth + g * s.units + unit, inner[g], count);
            if (arrays.d_projected)
              store_part(arrays.d_projected + place * depth + g * s.units + unit,
                         g == G - 1 ? outer : inner[g], count);
          }
        }
      }
      for (int64_t block = 0; block < blocks; ++block) {
        const float* panel = panels.data() + block * depth * P * kWidth;
        all_rows<P>(d_inners, wide, panel, depth, rows, [&](int64_t r, Vector(&sums)[P]) {
          float* d_h = d_hs + r * s.padded + block * P * kWidth;
          for (int p = 0; p < P; ++p) store(d_h + p * kWidth, load(d_h + p * kWidth) + sums[p]);
        });
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t bytes = s.units * sizeof(float);
      std::memcpy(d_h0 + (first + r) * s.units, d_hs + r * s.padded, bytes);
      if (d_c0) std::memcpy(d_c0 + (first + r) * s.units, d_cs + r * s.padded, bytes);
    }
  });
}

struct LstmBack : Lstm {
  static NACRE_INLINE Vector unstep(const BackwardArrays& arrays, int64_t place, int64_t unit,
                                    int64_t units, int64_t count, Vector, Vector before_c,
                                    Vector d_h, Vector& d_c, Vector* d, Vector&) {
    const float* saved = arrays.saved + place * 4 * units + unit;
    Vector i = load_part(saved, count), f = load_part(saved + units, count);
    Vector g = load_part(saved + 2 * units, count), o = load_part(saved + 3 * units, count);
    Vector c = hyperbolic_tangent(load_part(arrays.cells + place * units + unit, count));
    d_c += d_h * o * (1.0f - c * c);
    d[0] = d_c * g * i * (1.0f - i);
    d[1] = d_c * before_c * f * (1.0f - f);
    d[2] = d_c * i * (1.0f - g * g);
    d[3] = d_h * c * o * (1.0f - o);
    d_c *= f;
    return Vector{};
  }
};

struct GruBack : Gru {
  static NACRE_INLINE Vector unstep(const BackwardArrays& arrays, int64_t place, int64_t unit,
                                    int64_t units, int64_t count, Vector before, Vector, Vector d_h,
                                    Vector&, Vector* d, Vector& d_candidate) {
    const float* saved = arrays.saved + place * 4 * units + unit;
    Vector z = load_part(saved, count), r = load_part(saved + units, count);
    Vector candidate = load_part(saved + 2 * units, count);
    Vector inside = load_part(saved + 3 * units, count);
    d_candidate = d_h * (1.0f - z) * (1.0f - candidate * candidate);
    d[0] = d_h * (before - candidate) * z * (1.0f - z);
    d[1] = d_candidate * inside * r * (1.0f - r);
    d[2] = d_candidate * r;
    return d_h * z;
  }
};

struct SimpleBack : Simple {
  static NACRE_INLINE Vector unstep(const BackwardArrays& arrays, int64_t place, int64_t unit,
                                    int64_t units, int64_t count, Vector, Vector, Vector d_h,
                                    Vector&, Vector* d, Vector&) {
    Vector h = load_part(arrays.history + place * units + unit, count);
    d[0] = d_h * (1.0f - h * h);
    return Vector{};
  }
};

// --- gradients of the weights --------------------------------------------------------------------

// One factor of a sum over rows of a ⊗ d: rows of x, or the hidden states one step earlier.
struct Factor {
  const float* rows;   // (batch, time, width)
  const float* first;  // (batch, width) in place of step -1, for states; null for inputs
  int64_t width;
  float* result;       // (width, columns)
  const float* row(int64_t place, int64_t time) const {
    if (first == nullptr) return rows + place * width;
    return place % time ? rows + (place - 1) * width : first + place / time * width;
  }
};

constexpr int64_t kChunk = 192;  // rows of d packed at a time; 192 · 64 floats fill L1

// result = sum over places of row(place) ⊗ d[place], and bias = sum of d[place] unless null.
void outer(const Call& call, const Factor& factor, const float* d, int64_t columns, int64_t places,
           int64_t time, float* bias) {
  constexpr int64_t step = 4 * kWidth;
  parallel(call, (columns + step - 1) / step, [&](int64_t block) {
    const int64_t column = block * step, count = std::min(columns - column, step);
    Scratch memory(kChunk * step);
    std::vector<const float*> a(kChunk);
    Vector total[4] = {};
    for (int64_t begin = 0; begin < places; begin += kChunk) {
      const int64_t depth = std::min(kChunk, places - begin);
      for (int64_t k = 0; k < depth; ++k) {
        a[k] = factor.row(begin + k, time);
        for (int p = 0; p < 4; ++p) {
          const int64_t left = count - p * kWidth;
          Vector one = left > 0 ? load_part(d + (begin + k) * columns + column + p * kWidth, left) : Vector{};
          store(memory.data() + k * step + p * kWidth, one);
          total[p] += one;
        }
      }
      float* result = factor.result + column;
      all_columns<4>(a.data(), factor.width, memory.data(), depth, result, columns, count, begin > 0);
    }
    for (int p = 0; p < 4 && bias; ++p)
      if (count > p * kWidth) store_part(bias + column + p * kWidth, total[p], count - p * kWidth);
  });
}

// --- calls ---------------------------------------------------------------------------------------

// Arguments: projected, recurrent_kernel, recurrent_bias, mask, h0, c0.
// Attributes: masked, biased, sequences, keeps.
// Results: history (or the last h without sequences), last c, cells, saved; the last two when
// `keeps` is 1. Cells without c take h0 for c0.
template <typename Cell>
void run_forward(const Call& call) {
  const bool keeps = call.attribute("keeps"), has_c = Cell::kGates == 4;
  ForwardArrays arrays{};
  arrays.projected = call.argument(0);
  arrays.recurrent_bias = call.attribute("biased") ? call.argument(2) : nullptr;
  arrays.history = call.result(0);
  if (keeps && has_c) arrays.cells = call.result(2);
  if (keeps && Cell::kSaved) arrays.saved = call.result(3);
  Sizes s = sizes_of(call, call.size(0, 0), call.size(0, 1), call.size(1, 0));
  forward<Cell>(call, s, arrays, call.argument(1),
                call.attribute("masked") ? call.argument<uint8_t>(3) : nullptr, call.argument(4),
                has_c ? call.argument(5) : nullptr, call.attribute("sequences"),
                has_c ? call.result(1) : nullptr);
}

// Arguments: x, recurrent_kernel, mask, h0, c0, history, cells, saved, d_outputs, d_h, d_c.
// Attributes: masked, sequences (d_outputs counts).
// Results: d_h0, d_c0, d_inner, d_projected (GRU), d_kernel, d_recurrent_kernel, d_bias,
// d_recurrent_bias (GRU).
template <typename Cell>
void run_backward(const Call& call) {
  const bool has_c = Cell::kGates == 4, differ = Cell::kGates == 3;
  BackwardArrays arrays{};
  arrays.history = call.argument(5);
  arrays.cells = has_c ? call.argument(6) : nullptr;
  arrays.saved = call.argument(7);
  arrays.d_inner = call.result(2);
  arrays.d_projected = differ ? call.result(3) : nullptr;
  Sizes s = sizes_of(call, call.size(5, 0), call.size(5, 1), call.size(5, 2));
  backward<Cell>(call, s, arrays, call.argument(1),
                 call.attribute("masked") ? call.argument<uint8_t>(2) : nullptr, call.argument(3),
                 has_c ? call.argument(4) : nullptr,
                 call.attribute("sequences") ? call.argument(8) : nullptr, call.argument(9),
                 has_c ? call.argument(10) : nullptr, call.result(0),
                 has_c ? call.result(1) : nullptr);
  const int64_t columns = Cell::kGates * s.units, places = s.batch * s.time;
  const float* d_projected = differ ? arrays.d_projected : arrays.d_inner;
  Factor inputs{call.argument(0), nullptr, call.size(0, 2), call.result(4)};
  Factor states{arrays.history, call.argument(3), s.units, call.result(5)};
  outer(call, inputs, d_projected, columns, places, s.time, call.result(6));
  outer(call, states, arrays.d_inner, columns, places, s.time, differ ? call.result(7) : nullptr);
}

}  // namespace

NACRE_HANDLER(lstm_forward, run_forward<Lstm>)
NACRE_HANDLER(gru_forward, run_forward<Gru>)
NACRE_HANDLER(simple_forward, run_forward<Simple>)
NACRE_HANDLER(lstm_backward, run_backward<LstmBack>)
NACRE_HANDLER(gru_backward, run_backward<GruBack>)
NACRE_HANDLER(simple_backward, run_backward<SimpleBack>)
