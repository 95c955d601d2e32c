// The end of a training step that may have spoiled the weights: new values or old, in one pass.
//
// XLA takes three small loops for each array: one that looks whether it is finite, a copy of the old
// values, and the choice. A deep net of small layers spends more on their starts than on its products.
//
// Results may lie where the old values do: then nothing is written where these are kept.

#include <vector>

#include "handler.h"

namespace {

using namespace nacre;

constexpr int64_t kPiece = 1 << 14;  // numbers of a piece of work: 64 KiB of each array

struct Piece {
  const float *before, *after;
  float* result;
  int64_t count;
};

bool is_finite(const float* numbers, int64_t count) {
  Vector zeros{};  // x - x is 0, or NaN where x is infinite or NaN
  for (int64_t i = 0; i < count; i += kWidth) {
    const Vector x = load_part(numbers + i, count - i);
    zeros = zeros + (x - x);
  }
  for (int i = 0; i < kWidth; ++i)
    if (zeros[i] != 0) return false;  // NaN too: it differs from everything
  return true;
}

// Arguments: whether the loss is finite; all old arrays, the weights first; all new ones. Results:
// whether the new ones are taken, then the arrays. Old ones are kept where the loss is not finite or
// weights that were finite are no more. Attributes: how many arrays, and how many of them weights.
void choose_values(const Call& call) {
  const int count = static_cast<int>(call.attribute("arrays"));
  const int weights = static_cast<int>(call.attribute("weights"));
  std::vector<Piece> pieces;
  int64_t of_weights = 0;
  for (int i = 0; i < count; ++i) {
    const int64_t size = call.count(1 + i);
    for (int64_t at = 0; at < size; at += kPiece)
      pieces.push_back({call.argument(1 + i) + at, call.argument(1 + count + i) + at,
                        call.result(1 + i) + at, std::min(kPiece, size - at)});
    if (i + 1 == weights) of_weights = pieces.size();
  }
  const auto are_finite = [&](const float* Piece::* side) {
    std::atomic<bool> found{true};
    parallel(call, of_weights, [&](int64_t i) {
      if (!is_finite(pieces[i].*side, pieces[i].count)) found = false;
    });
    return found.load();
  };
  const bool takes_new = *call.argument<uint8_t>(0) != 0 &&
                         (are_finite(&Piece::after) || !are_finite(&Piece::before));
  *call.result<uint8_t>(0) = takes_new;
  parallel(call, pieces.size(), [&](int64_t i) {
    const float* from = takes_new ? pieces[i].after : pieces[i].before;
    if (from != pieces[i].result)
      std::memcpy(pieces[i].result, from, pieces[i].count * sizeof(float));
  });
}

}  // namespace

NACRE_HANDLER(guard_choose, choose_values)
