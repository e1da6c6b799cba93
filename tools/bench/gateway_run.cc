#include "gateway_run.h"

#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include "skep/core/prng.h"
#include "skep/learn_testing/digits.h"

namespace skep::bench {
namespace {

constexpr std::size_t kShares = 20;
constexpr double kDirichletAlpha = 0.5;

std::uint64_t kib_of(const std::string& status, const std::string& key) {
  const std::size_t at = status.find("\n" + key + ":");
  if (at == std::string::npos) throw std::runtime_error("/proc tells no " + key);
  return std::stoull(status.substr(at + key.size() + 2));
}

}  // namespace

GatewayRun::GatewayRun(const RunOptions& options)
    : options_(options),
      digits_(demo::split(learn_testing::load_digits(options.data), kShares, kDirichletAlpha,
                          options.seed)) {
  const std::filesystem::path held_out = directory_.path() / "held-out.csv";
  demo::write_csv(held_out, digits_.held_out);
  demo::RoundRecipe recipe;
  recipe.quorum = options.devices + 1;
  federation_ = std::make_unique<demo::Federation>(
      options.programs, directory_.path() / "federation", recipe, held_out, options.seed);
  for (std::uint32_t i = 0; i < options.devices; ++i) {
    const std::string name = "device-" + std::to_string(i + 1);
    federation_->enrol(name);
    credentials_.push_back(demo::load_credentials(federation_->credentials_of(name)));
  }
  federation_->start_gateway();
}

LoopbackPort GatewayRun::port() const {
  return static_cast<LoopbackPort>(credentials_.front().gateway_port);
}

std::uint64_t GatewayRun::peak_rss_bytes() const {
  const std::string status =
      process::read_text("/proc/" + std::to_string(federation_->gateway_pid()) + "/status");
  return kib_of(status, "VmHWM") * 1024;
}

double GatewayRun::cpu_seconds() const {
  clockid_t clock = 0;
  const int error = ::clock_getcpuclockid(federation_->gateway_pid(), &clock);
  timespec time{};
  if (error != 0 || ::clock_gettime(clock, &time) != 0) {
    throw std::system_error(error != 0 ? error : errno, std::generic_category(),
                            "the processor time of skepd");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::uint64_t GatewayRun::received() const {
  return federation_->operate({"round", "status"}).at("received").get<std::uint64_t>();
}

Buffer GatewayRun::update_of(std::size_t index, const demo::Task& task) const {
  return demo::make_update(task, credentials_[index], digits_.devices[index % kShares],
                           mix_seed(options_.seed, static_cast<std::uint32_t>(index)));
}

}  // namespace skep::bench
