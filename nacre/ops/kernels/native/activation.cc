// Activations that cost an exponential, and their gradients: exact gelu, its tanh form, silu.
//
// Each is x · s(x), s between 0 and 1, and its gradient is s + x · s'. In the body of a loop XLA runs
// them on one thread.
#include "handler.h"

namespace {

using namespace nacre;

constexpr int64_t kPiece = 1 << 14;  // numbers of a piece of work: 64 KiB of each array

// Φ, the normal distribution function; slope: its derivative times x, where it is asked for.
//
// With a = |x|: Φ(-a) = exp(-a²/2) · q(a), and q(a) · (a + 2) is a polynomial of t = (a - 2)/(a + 2)
// (Shepherd & Laframboise 1981, Math. Comp. 36:153; here the Chebyshev interpolant of degree 9 on
// 0 <= a <= 12.65, error below 1e-8 relative). So Φ(x) · x keeps all but 3 bits where it is tiny.
// a²/2 is the square of a's first 12 bits, which is exact, and a rest of at most 0.02.
// Beyond 12.65, Φ(-a) < 1e-36 counts as 0.
struct Gelu {
  static NACRE_INLINE Vector share(Vector x, Vector* slope) {
    const Vector a = choose(x < 0.0f, -x, x), b = clamp(a, 0.0f, 12.65f);
    const Vector high = (Vector)(((Integers)b + 0x800) & ~0xFFF);
    const Vector low = (b - high) * (b + high) * 0.5f;
    Vector scale, rest;
    exponential(high * high * -0.5f, scale, rest);
    const Vector first = scale + scale * rest;
    const Vector power = first - first * low * (1.0f - low * (0.5f - low * (1 / 6.0f)));
    const Vector inverse = 1.0f / (b + 2.0f), t = 1.0f - 4.0f * inverse;
    Vector q = t * 0.000135097115f + 0.000647092348f;
    q = q * t + 0.000753409167f;
    q = q * t - 0.00186721172f;
    q = q * t - 0.00669608618f;
    q = q * t - 0.000485281444f;
    q = q * t + 0.0367127504f;
    q = q * t + 0.0287984109f;
    q = q * t - 0.33140418f;
    q = q * t + 0.672407993f;
    const Vector tail = choose(a > 12.65f, Vector{}, power * (q * inverse));
    if (slope) *slope = x * choose(a > 12.65f, Vector{}, power * 0.398942280f);  // 1 / sqrt(2 pi)
    return choose(x < 0.0f, tail, 1.0f - tail);
  }
};

// x / 2 · (1 + tanh(u)) = x · sigmoid(2u), u = sqrt(2 / pi) · (x + 0.044715 x³). At -16 that is 0, at
// 16 x itself.
struct TanhGelu {
  static NACRE_INLINE Vector share(Vector x, Vector* slope) {
    const Vector b = clamp(x, -16.0f, 16.0f), square = b * b;
    const Vector whole = sigmoid(b * (1.59576912f + 0.0713548163f * square));
    const Vector s = choose(x <= -16.0f, Vector{}, whole);
    if (slope) *slope = x * (s * (1.0f - s) * (1.59576912f + 0.214064449f * square));
    return s;
  }
};

// `sigmoid` has no numbers below that of -80, 2e-35: they count as 0, however large x is.
struct Silu {
  static NACRE_INLINE Vector share(Vector x, Vector* slope) {
    const Vector s = choose(x <= -80.0f, Vector{}, sigmoid(x));
    if (slope) *slope = x * (s * (1.0f - s));
    return s;
  }
};

template <typename Kind>
void run(const Call& call, bool is_gradient) {
  const float *x = call.argument(0), *g = is_gradient ? call.argument(1) : nullptr;
  float* y = call.result(0);
  const int64_t size = call.count(0);
  parallel(call, (size + kPiece - 1) / kPiece, [&](int64_t piece) {
    const int64_t end = std::min(size, (piece + 1) * kPiece);
    for (int64_t i = piece * kPiece; i < end; i += kWidth) {
      const Vector one = load_part(x + i, end - i);
      Vector slope;
      if (is_gradient) {
        const Vector share = Kind::share(one, &slope);
        store_part(y + i, load_part(g + i, end - i) * (share + slope), end - i);
      } else {
        store_part(y + i, one * Kind::share(one, nullptr), end - i);
      }
    }
  });
}

void choose_kind(const Call& call, bool is_gradient) {
  switch (call.attribute("kind")) {
    case 0: return run<Gelu>(call, is_gradient);
    case 1: return run<TanhGelu>(call, is_gradient);
    default: return run<Silu>(call, is_gradient);
  }
}

// Argument: x. Result: the activation of it.
void forward(const Call& call) { choose_kind(call, false); }

// Arguments: x, gradients of the activation. Result: gradients of x.
void gradient(const Call& call) { choose_kind(call, true); }

}  // namespace

NACRE_HANDLER(activation_forward, forward)
NACRE_HANDLER(activation_gradient, gradient)
