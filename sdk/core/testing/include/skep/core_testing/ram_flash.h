// A flash in RAM whose power can be cut in the middle of any operation. For tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "skep/platform.h"

namespace skep::core_testing {

/// What the operation in progress leaves behind when the power fails.
enum class Tear : std::uint8_t {
  kNothing,     ///< It had not begun.
  kEverything,  ///< It had just finished.
  kPrefix,      ///< Its bytes up to some point, part of the bits of one, none after.
  kRandomBits,  ///< Any subset of its bits.
  kWeakBits,    ///< As kRandomBits, but others read at random each time, until erased.
  kWhim,        ///< After each power-on, each unit of it reads as done or as not begun.
};

inline constexpr Tear kAllTears[] = {Tear::kNothing,    Tear::kEverything, Tear::kPrefix,
                                     Tear::kRandomBits, Tear::kWeakBits,   Tear::kWhim};

struct PowerCut {
  std::uint64_t at_operation;  ///< 1 = the next program, erase or sync.
  Tear tear;
  bool loses_unsynced = false;  ///< Any subset of what was not synced is lost too (a file).
  std::uint32_t seed = 1;
};

/// Also checks how it is used: a byte that is programmed twice between two complete erases, torn
/// attempts included, is a violation(). Copyable: a copy is a fork of the world.
class RamFlash final : public Storage {
 public:
  explicit RamFlash(const FlashGeometry& geometry)
      : geometry_(geometry),
        cells_(geometry.size_bytes, 0xFF),
        weak_(geometry.size_bytes, 0),
        touched_(geometry.size_bytes, 0),
        durable_(cells_) {}

  // ---- faults

  void schedule(const PowerCut& cut) {
    cut_ = cut;
    operations_ = 0;
    random_.seed(cut.seed);
  }

  /// Every program, erase and sync from the n-th on (1 = the next) fails without doing anything.
  void fail_from(std::uint64_t operation) {
    operations_ = 0;
    fail_from_ = operation;
  }
  void stop_failing() { fail_from_.reset(); }

  /// Power is back: what was kWhim makes up its mind for this time.
  void power_on(std::uint32_t seed = 1) {
    random_.seed(seed);
    for (const Whim& whim : whims_) {
      const auto& bytes = (random_() & 1U) != 0 ? whim.after : whim.before;
      std::copy(bytes.begin(), bytes.end(), cells_.begin() + whim.offset);
    }
    is_powered_ = true;
    cut_.reset();
    operations_ = 0;
    remember_durable();
  }

  void flip_bit(std::uint32_t offset, unsigned bit) {
    cells_.at(offset) = static_cast<std::uint8_t>(cells_.at(offset) ^ (1U << bit));
  }

  // ---- observation

  [[nodiscard]] bool is_powered() const { return is_powered_; }
  /// Program, erase and sync calls since schedule(), fail_from() or power_on().
  [[nodiscard]] std::uint64_t operation_count() const { return operations_; }
  [[nodiscard]] std::uint64_t erase_count() const { return erases_; }
  /// Empty if all is well.
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] std::span<const std::uint8_t> cells() const { return cells_; }

  // ---- Storage

  [[nodiscard]] FlashGeometry geometry() const override { return geometry_; }

  Status read(std::uint32_t offset, MutableBytes out) override {
    if (!is_inside(offset, out.size(), 1)) return Status::kInvalidArgument;
    if (!is_powered_) return Status::kStorageFailed;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint8_t noise = static_cast<std::uint8_t>(weak_[offset + i] & random_());
      out[i] = static_cast<std::uint8_t>(cells_[offset + i] ^ noise);
    }
    return Status::kOk;
  }

  Status program(std::uint32_t offset, Bytes data) override {
    if (!is_inside(offset, data.size(), geometry_.program_unit_bytes)) {
      return Status::kInvalidArgument;
    }
    if (!is_powered_) return Status::kStorageFailed;
    return operate({offset, {data.begin(), data.end()}, false});
  }

  Status erase(std::uint32_t offset, std::uint32_t length_bytes) override {
    if (!is_inside(offset, length_bytes, geometry_.erase_unit_bytes)) {
      return Status::kInvalidArgument;
    }
    if (!is_powered_) return Status::kStorageFailed;
    return operate({offset, std::vector<std::uint8_t>(length_bytes, 0xFF), true});
  }

  Status sync() override {
    if (!is_powered_) return Status::kStorageFailed;
    return operate({0, {}, false});
  }

 private:
  struct Operation {
    std::uint32_t offset;
    std::vector<std::uint8_t> data;  // empty: sync
    bool is_erase;
  };
  struct Whim {
    std::uint32_t offset;
    std::vector<std::uint8_t> before;
    std::vector<std::uint8_t> after;
  };

  Status operate(const Operation& operation) {
    ++operations_;
    if (fail_from_.has_value() && operations_ >= *fail_from_) return Status::kStorageFailed;
    check_use(operation);
    if (cut_.has_value() && operations_ == cut_->at_operation) {
      cut_power(operation);
      return Status::kStorageFailed;
    }
    if (operation.data.empty()) {
      remember_durable();
      return Status::kOk;
    }
    apply(operation);
    unsynced_.push_back(operation);
    return Status::kOk;
  }

  void check_use(const Operation& operation) {
    for (std::uint32_t i = 0; i < operation.data.size(); ++i) {
      std::uint8_t& touched = touched_[operation.offset + i];
      if (operation.is_erase) continue;
      if (touched != 0 && violation_.empty()) {
        violation_ = "programmed twice: byte " + std::to_string(operation.offset + i);
      }
      touched = 1;
    }
  }

  [[nodiscard]] std::vector<std::uint8_t> outcome(const Operation& operation) const {
    std::vector<std::uint8_t> after = operation.data;
    if (!operation.is_erase) {
      for (std::size_t i = 0; i < after.size(); ++i) {
        after[i] = static_cast<std::uint8_t>(after[i] & cells_[operation.offset + i]);
      }
    }
    return after;
  }

  void apply(const Operation& operation) {
    const auto after = outcome(operation);
    std::copy(after.begin(), after.end(), cells_.begin() + operation.offset);
    if (!operation.is_erase) return;
    ++erases_;
    std::fill_n(weak_.begin() + operation.offset, after.size(), std::uint8_t{0});
    std::fill_n(touched_.begin() + operation.offset, after.size(), std::uint8_t{0});
    std::erase_if(whims_, [&](const Whim& whim) {
      return whim.offset >= operation.offset &&
             whim.offset + whim.before.size() <= operation.offset + after.size();
    });
  }

  void cut_power(const Operation& operation) {
    if (cut_->loses_unsynced) lose_unsynced();
    tear(operation);
    if (operation.is_erase) {
      std::fill_n(touched_.begin() + operation.offset, operation.data.size(), std::uint8_t{1});
    }
    is_powered_ = false;
    unsynced_.clear();
  }

  void lose_unsynced() {
    const std::vector<Operation> operations = std::move(unsynced_);
    cells_ = durable_;
    for (const Operation& operation : operations) {
      if ((random_() & 1U) != 0) apply(operation);
      std::fill_n(touched_.begin() + operation.offset, operation.data.size(), std::uint8_t{1});
    }
  }

  void tear(const Operation& operation) {
    if (operation.data.empty() || cut_->tear == Tear::kNothing) return;
    const auto after = outcome(operation);
    const std::size_t prefix = random_() % after.size();
    const std::vector<std::uint8_t> before(
        cells_.begin() + operation.offset,
        cells_.begin() + operation.offset + static_cast<std::ptrdiff_t>(after.size()));
    if (cut_->tear == Tear::kWhim) add_whims(operation.offset, before, after);
    for (std::size_t i = 0; i < after.size(); ++i) {
      const std::size_t at = operation.offset + i;
      const auto change = static_cast<std::uint8_t>(before[i] ^ after[i]);
      const auto some = static_cast<std::uint8_t>(random_());
      std::uint8_t done = 0;  // which of the changing bits have changed
      switch (cut_->tear) {
        case Tear::kNothing:
        case Tear::kWhim:
          break;
        case Tear::kEverything:
          done = 0xFF;
          break;
        case Tear::kPrefix:
          done = i < prefix ? 0xFF : i == prefix ? some : 0;
          break;
        case Tear::kWeakBits:
          weak_[at] = static_cast<std::uint8_t>(change & random_());
          [[fallthrough]];
        case Tear::kRandomBits:
          done = some;
          break;
      }
      cells_[at] = static_cast<std::uint8_t>(before[i] ^ (change & done));
    }
  }

  // One for each erase unit, since each can be erased on its own.
  void add_whims(std::uint32_t offset, const std::vector<std::uint8_t>& before,
                 const std::vector<std::uint8_t>& after) {
    const std::uint32_t unit = geometry_.erase_unit_bytes;
    for (std::uint32_t done = 0; done < after.size();) {
      const std::uint32_t start = offset + done;
      const auto end = std::min<std::uint32_t>(static_cast<std::uint32_t>(after.size()),
                                               done + unit - start % unit);
      whims_.push_back({start,
                        {before.begin() + done, before.begin() + end},
                        {after.begin() + done, after.begin() + end}});
      done = end;
    }
  }

  void remember_durable() {
    durable_ = cells_;
    unsynced_.clear();
  }

  [[nodiscard]] bool is_inside(std::uint32_t offset, std::size_t length, std::uint32_t unit) const {
    return offset % unit == 0 && length % unit == 0 && offset <= geometry_.size_bytes &&
           length <= geometry_.size_bytes - offset;
  }

  FlashGeometry geometry_;
  std::vector<std::uint8_t> cells_;
  std::vector<std::uint8_t> weak_;     // bits that read at random
  std::vector<std::uint8_t> touched_;  // bytes that were programmed, or half erased
  std::vector<std::uint8_t> durable_;  // cells at the last sync
  std::vector<Operation> unsynced_;
  std::vector<Whim> whims_;
  std::optional<PowerCut> cut_;
  std::optional<std::uint64_t> fail_from_;
  std::minstd_rand random_{1};
  std::uint64_t operations_ = 0;
  std::uint64_t erases_ = 0;
  std::string violation_;
  bool is_powered_ = true;
};

}  // namespace skep::core_testing
