// One step of Adam for many arrays, float32: each number is read once and written once.
//
// The formula is that of nacre/optimizers/adam.py, in its order of operations. XLA runs it as three
// loops for each array, which read parameter, means and gradient nine times.
//
// Results may lie where the arguments do: a piece is read before it is written.

#include <vector>

#include "handler.h"

namespace {

using namespace nacre;

constexpr int64_t kPiece = 1 << 14;  // numbers of a piece of work: 64 KiB of each array

NACRE_INLINE Vector square_root(Vector x) {
  for (int i = 0; i < kWidth; ++i) x[i] = __builtin_sqrtf(x[i]);  // one instruction
  return x;
}

struct Piece {
  const float *parameter, *momentum, *velocity, *gradient;
  float *new_parameter, *new_momentum, *new_velocity;
  int64_t count;
  float decay;
};

void step(const Piece& piece, const float* numbers) {
  const Vector rate = fill(numbers[0]), share_1 = fill(numbers[1]), share_2 = fill(numbers[2]);
  const Vector epsilon = fill(numbers[3]);
  for (int64_t i = 0; i < piece.count; i += kWidth) {
    const int64_t left = piece.count - i;
    const Vector gradient = load_part(piece.gradient + i, left);
    Vector momentum = load_part(piece.momentum + i, left);
    Vector velocity = load_part(piece.velocity + i, left);
    Vector parameter = load_part(piece.parameter + i, left);
    if (piece.decay != 0) parameter = parameter - parameter * piece.decay;
    momentum = momentum + (gradient - momentum) * share_1;
    velocity = velocity + (gradient * gradient - velocity) * share_2;
    const Vector change = momentum * rate / (square_root(velocity) + epsilon);
    store_part(piece.new_parameter + i, parameter - change, left);
    store_part(piece.new_momentum + i, momentum, left);
    store_part(piece.new_velocity + i, velocity, left);
  }
}

// Arguments: as one array rate, 1 - beta_1, 1 - beta_2, epsilon and the decay of each parameter; all
// parameters, all momentums, all velocities, all gradients. Results: the new ones of the first three.
void update(const Call& call) {
  const int count = static_cast<int>(call.attribute("arrays"));
  const float* numbers = call.argument(0);
  std::vector<Piece> pieces;
  for (int i = 0; i < count; ++i) {
    const int of[] = {i, count + i, 2 * count + i};
    const int64_t size = call.count(1 + of[0]);
    for (int64_t at = 0; at < size; at += kPiece)
      pieces.push_back({call.argument(1 + of[0]) + at, call.argument(1 + of[1]) + at,
                        call.argument(1 + of[2]) + at, call.argument(1 + 3 * count + i) + at,
                        call.result(of[0]) + at, call.result(of[1]) + at, call.result(of[2]) + at,
                        std::min(kPiece, size - at), numbers[4 + i]});
  }
  parallel(call, pieces.size(), [&](int64_t i) { step(pieces[i], numbers); });
}

}  // namespace

NACRE_HANDLER(adam_update, update)
