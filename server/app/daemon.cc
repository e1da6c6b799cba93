#include "daemon.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "audit_log.h"
#include "coap_endpoint.h"
#include "service_manager.h"
#include "skep/admin/admin_server.h"
#include "skep/coordinator/coordinator.h"
#include "skep/enrolment/registrar.h"
#include "skep/intake/intake.h"
#include "skep/pki/directory_lock.h"
#include "skep/pki/federation.h"
#include "skep/pki/keys.h"
#include "skep/pki/passphrase.h"
#include "skep/seal/crypto.h"
#include "skep/seal/envelope.h"
#include "skep/seal/signature.h"
#include "unique_fd.h"

namespace skep::app {
namespace {

// Updates under way at SIGTERM are answered if they are committed within this time.
constexpr std::int64_t kStopWithinS = 10;

std::int64_t unix_now_s() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::int64_t monotonic_now_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

UniqueFd make_signal_fd() {
  const sigset_t signals = stop_signals();
  return {::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC), "signalfd"};
}

UniqueFd make_second_timer() {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
  const itimerspec each_second{.it_interval = {.tv_sec = 1, .tv_nsec = 0},
                               .it_value = {.tv_sec = 1, .tv_nsec = 0}};
  if (::timerfd_settime(timer.get(), 0, &each_second, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "timerfd_settime");
  }
  return timer;
}

// Makes an eventfd or timerfd unreadable until its next event; a read that fails had none.
void drain(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t result = ::read(fd, &count, sizeof count);
}

pki::FederationPaths paths_of(const Config& config) {
  pki::FederationPaths paths{config.directory};
  if (!config.passphrase_file.empty()) {
    paths.passphrase =
        std::make_shared<const pki::Passphrase>(pki::Passphrase::from_file(config.passphrase_file));
  } else if (!config.passphrase_credential.empty()) {
    paths.passphrase = std::make_shared<const pki::Passphrase>(
        pki::Passphrase::from_credential(config.passphrase_credential));
  } else {
    spdlog::warn("the private keys are not encrypted: [keys] in skepd.toml names no passphrase");
  }
  return paths;
}

seal::SigningKey load_signing_key(const pki::FederationPaths& paths) {
  const std::filesystem::path path = paths.signing_key();
  const pki::PrivateKey stored = pki::PrivateKey::load(path, paths.passphrase.get());
  auto key = seal::SigningKey::from_bytes(stored.scalar());
  if (!key.ok()) throw std::runtime_error(path.string() + ": " + to_string(key.status()));
  return std::move(*key);
}

seal::AggregationKey load_aggregation_key(const pki::FederationPaths& paths) {
  const std::filesystem::path path = paths.aggregation_key();
  const pki::PrivateKey stored = pki::PrivateKey::load(path, paths.passphrase.get());
  auto key = seal::AggregationKey::from_bytes(seal::Kem::kP256HkdfSha256, stored.scalar());
  if (!key.ok()) throw std::runtime_error(path.string() + ": " + to_string(key.status()));
  return std::move(*key);
}

std::unique_ptr<enrolment::Registrar> make_registrar(const Config& config,
                                                     const pki::FederationPaths& paths) {
  if (!config.enrolment) return nullptr;
  return std::make_unique<enrolment::Registrar>(paths, config.database, config.certificate_days);
}

store::FederationId federation_of(const std::filesystem::path& database) {
  return store::Store::open(database).federation();
}

intake::Settings intake_settings(const Config& config) {
  intake::Settings settings;
  settings.workers = config.intake_workers;
  return settings;
}

}  // namespace

void block_stop_signals() {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

class Daemon::Engine {
 public:
  explicit Engine(const Config& config)
      : paths_(paths_of(config)),
        lock_(config.directory),
        signing_key_(load_signing_key(paths_)),
        aggregation_key_(load_aggregation_key(paths_)),
        audit_log_(config.database, signing_key_, config.text, unix_now_s),
        coordinator_(config.database, config.round,
                     {.signing = signing_key_, .aggregation = aggregation_key_}, unix_now_s()),
        intake_(config.database, intake_settings(config), aggregation_key_, coordinator_),
        registrar_(make_registrar(config, paths_)),
        endpoint_({.listen = config.listen, .port = config.port}, paths_, config.database,
                  coordinator_, intake_, audit_log_,
                  TimeSigner(signing_key_, federation_of(config.database), unix_now_s),
                  registrar_.get(), {.patch_depth = config.patch_depth, .limits = config.limits}) {
    coordinator_.on_plan_changed([this] { signal_plan_changed(); });
    for (const int fd : {endpoint_.wait_fd(), intake_.answers_fd(), plan_changed_.get(),
                         signals_.get(), timer_.get()}) {
      watch(fd);
    }
    admin_.emplace(config.admin_socket,
                   admin::Gateway{.database = config.database,
                                  .coordinator = coordinator_,
                                  .intake = intake_,
                                  .endpoint = [this] { return endpoint_status(); }});
  }

  ~Engine() { coordinator_.on_plan_changed(nullptr); }

  void run() {
    announce();
    while (!stopping_) turn();
    notify_service_manager("STOPPING=1");
    spdlog::info("stopping");
    endpoint_.stop_accepting();
    const std::int64_t until_s = monotonic_now_s() + kStopWithinS;
    while (endpoint_.has_pending_answers() && monotonic_now_s() < until_s) turn();
    admin_.reset();
  }

 private:
  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
  }

  void signal_plan_changed() const {
    const std::uint64_t one = 1;
    // Fails only if 2^64 − 2 changes are waiting to be noticed.
    [[maybe_unused]] const ssize_t result = ::write(plan_changed_.get(), &one, sizeof one);
  }

  void announce() {
    const std::string uri = endpoint_.uri();
    spdlog::info("ready: {}", uri);
    std::printf("skepd ready: %s\n", uri.c_str());
    std::fflush(stdout);
    notify_service_manager("READY=1\nSTATUS=listening on " + uri);
  }

  // Waits for something to happen, and handles it.
  void turn() {
    std::array<epoll_event, 8> events{};
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.fd);
    // After whatever it was: libcoap sends what the handlers above left, and sets its timer.
    endpoint_.process(monotonic_now_s());
  }

  void handle(int fd) {
    if (fd == intake_.answers_fd()) {
      endpoint_.send_answers();
    } else if (fd == plan_changed_.get()) {
      drain(fd);
      endpoint_.notify_plan_changed();
    } else if (fd == timer_.get()) {
      drain(fd);
      coordinator_.tick(unix_now_s());
      audit_log_.tick();
    } else if (fd == signals_.get()) {
      signalfd_siginfo info{};
      if (::read(fd, &info, sizeof info) == sizeof info) stopping_ = true;
    }
  }

  [[nodiscard]] admin::EndpointStatus endpoint_status() const {
    const CoapCounters& counters = endpoint_.counters();
    return {.uri = endpoint_.uri(),
            .port = endpoint_.port(),
            .sessions = counters.sessions,
            .bytes_down = counters.bytes_down,
            .packages = counters.packages,
            .package_bytes = counters.package_bytes,
            .patches = counters.patches,
            .patch_bytes = counters.patch_bytes,
            .limits = {.handshakes = counters.handshakes,
                       .cookies = counters.cookies,
                       .handshakes_refused = counters.handshakes_refused,
                       .handshakes_timed_out = counters.handshakes_timed_out,
                       .registrations_refused = counters.registrations_refused,
                       .requests_refused = counters.requests_refused}};
  }

  // In the order in which they need each other; the first is destroyed last.
  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
  UniqueFd plan_changed_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"};
  UniqueFd signals_ = make_signal_fd();
  UniqueFd timer_ = make_second_timer();
  pki::FederationPaths paths_;
  pki::DirectoryLock lock_;
  seal::SigningKey signing_key_;
  seal::AggregationKey aggregation_key_;
  AuditLog audit_log_;  // Before those whose last deeds its last head covers.
  coordinator::Coordinator coordinator_;
  intake::Intake intake_;
  std::unique_ptr<enrolment::Registrar> registrar_;  // Null if nobody is enrolled here.
  CoapEndpoint endpoint_;
  std::optional<admin::AdminServer> admin_;
  bool stopping_ = false;
};

Daemon::Daemon(const Config& config) {
  if (const Status status = seal::initialize_crypto(); status != Status::kOk) {
    throw std::runtime_error(std::string("cryptography cannot be started: ") + to_string(status));
  }
  engine_ = std::make_unique<Engine>(config);
}

Daemon::~Daemon() = default;

void Daemon::run() { engine_->run(); }

}  // namespace skep::app
