#include "skep/aggregate/accumulate.h"

#include "skep/flow.h"

namespace skep::aggregate {

Status Accumulator::add(const server::Valid& update) {
  const server::SparseDelta& delta = update.delta();
  if (delta.dimension != total_.sums_.size()) return Status::kInvalidArgument;
  const server::Int128 weight = server::Int128{update.sample_count()} * delta.scale
                                << (delta.exponent - kMinDeltaExponent);
  for (std::size_t i = 0; i < delta.indices.size(); ++i) {
    total_.sums_[delta.indices[i]] += weight * delta.values[i];
  }
  total_.sample_count_ += update.sample_count();
  ++total_.contributor_count_;
  return Status::kOk;
}

Status Accumulator::merge(const server::Accumulated& other) {
  if (other.sums_.size() != total_.sums_.size()) return Status::kInvalidArgument;
  for (std::size_t i = 0; i < other.sums_.size(); ++i) total_.sums_[i] += other.sums_[i];
  total_.sample_count_ += other.sample_count_;
  total_.contributor_count_ += other.contributor_count_;
  return Status::kOk;
}

}  // namespace skep::aggregate
