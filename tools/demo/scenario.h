// What the demo shows, step by step, and what it measured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "detection.h"
#include "skep/demo/federation.h"

namespace skep::demo {

/// What of the task's recipe the command line replaces.
struct RoundChoices {
  std::optional<std::uint32_t> max_rounds;
  std::optional<std::uint32_t> local_epochs;
  std::optional<std::string> compression;
  std::optional<std::uint32_t> keep_permille;
  std::optional<std::uint32_t> value_bits;
  std::optional<std::uint32_t> step_bits;
  std::optional<std::uint32_t> patch_depth;
};

struct Options {
  std::filesystem::path programs;   ///< Folder of skepd, skepctl and skep-device.
  std::string task = "digits";      ///< One of task_names().
  std::filesystem::path data;       ///< Folder of the data sets.
  std::filesystem::path directory;  ///< Empty: a temporary one, removed at the end.
  std::uint32_t devices = 20;
  std::uint32_t seed = 1;
  double dirichlet_alpha = 0.5;
  std::optional<std::uint32_t> most_samples;  ///< To learn from, all devices together.
  RoundChoices rounds;
};

/// One finished round, as the gateway tells it.
struct RoundRow {
  std::uint32_t round = 0;
  std::uint32_t devices = 0;
  std::uint64_t bytes_up = 0;      ///< Sealed updates, before DTLS.
  std::uint64_t bytes_down = 0;    ///< Plans and models, before DTLS.
  double loss = 0;                 ///< Of the round's base model on the devices' samples.
  std::optional<double> accuracy;  ///< Of the round's model on the held-out samples, if it has one.
  std::string outcome;             ///< "released" or "rejected".
};

/// What a model is worth on the held-out samples.
struct Quality {
  double loss = 0;                 ///< Mean, in nats or squared units of a feature.
  std::optional<double> accuracy;  ///< 0 … 1; none if the samples have no classes.
};

/// Of a task without classes: what the final model finds, and its float32 peer.
struct Watch {
  std::size_t failures = 0;
  std::size_t normal_windows = 0;
  Detection ours;
  Detection in_float;
};

/// Everything in it was measured in this run.
struct Summary {
  Quality final_model;
  Quality float_model;  ///< Float32, all samples in one place.
  std::optional<Watch> watch;
  std::uint32_t rounds = 0;
  std::uint32_t devices = 0;
  double update_bytes = 0;  ///< Mean SealedUpdate.
  std::uint32_t dense_float_bytes = 0;
  std::string model_sha256;                 ///< Of the final model's weights.
  std::string poisoned_release;             ///< "refused" or "released"
  std::optional<double> poisoned_accuracy;  ///< None if the samples have no classes.
  Quality bad_release;
  Quality rolled_back;
  std::string rollback;         ///< "ok" or what was wrong
  std::string verify;           ///< "ok" or "refused"
  std::string tampered_verify;  ///< "refused" or "ok"
};

/// Hears what happens while it happens.
class Observer {
 public:
  virtual void on_step(const std::string& what) = 0;
  virtual void on_progress(std::uint32_t round, std::uint32_t received, std::uint32_t devices) = 0;
  virtual void on_round(const RoundRow& row) = 0;

 protected:
  ~Observer() = default;
};

/// Runs the whole scenario. Throws std::exception with what went wrong.
Summary run_scenario(const Options& options, Observer& observer);

}  // namespace skep::demo
