#include "skep/audit/chain.h"

#include <algorithm>
#include <utility>

namespace skep::audit {
namespace {

struct Claim {
  SignedHead head;
  bool is_kept = false;  // From elsewhere.

  [[nodiscard]] std::string name() const {
    return (is_kept ? "the kept head" : "the stored head") + std::string(" of record ") +
           std::to_string(head.head.number) + ", signed at " + std::to_string(head.head.unix_s);
  }
};

class Checker {
 public:
  Checker(const FederationId& federation, const seal::VerifyingKey& key, std::vector<Claim> claims)
      : federation_(federation),
        key_(key),
        claims_(std::move(claims)),
        previous_(chain_origin(federation)) {
    std::ranges::stable_sort(claims_, {},
                             [](const Claim& claim) { return claim.head.head.number; });
  }

  Report run(const RecordSource& next) {
    while (!report_.finding) {
      const std::optional<Record> record = next();
      if (!record) {
        check_end();
        break;
      }
      check_record(*record);
    }
    return report_;
  }

 private:
  void find(std::int64_t number, std::string detail) {
    report_.finding = Finding{.number = number, .detail = std::move(detail)};
  }

  void check_record(const Record& record) {
    const std::int64_t expected = report_.records + 1;
    if (record.number != expected) {
      return find(expected,
                  "it is missing: the next one is record " + std::to_string(record.number));
    }
    if (record_hash(record.number, previous_, record.entry) != record.hash) {
      return find(expected, "its hash does not fit its content and the records before it");
    }
    previous_ = record.hash;
    report_.records = expected;
    while (!report_.finding && next_claim_ < claims_.size() &&
           claims_[next_claim_].head.head.number <= expected) {
      check_claim(claims_[next_claim_++]);
    }
  }

  void check_claim(const Claim& claim) {
    const Head& head = claim.head.head;
    if (head.number != report_.records || head.federation != federation_) {
      return find(0, claim.name() + (head.federation != federation_
                                         ? ", is of another federation"
                                         : ", names a record that cannot exist"));
    }
    if (const Status status = verify(claim.head, key_); status == Status::kBadSignature) {
      return find(head.number, claim.name() + ", is not signed with the federation's key");
    } else if (status != Status::kOk) {
      throw AuditError(status, "a signature cannot be checked");
    }
    if (head.hash != previous_) {
      return find(head.number, "it is another one than when " + claim.name() + ", was made");
    }
    if (!claim.is_kept) ++report_.heads;
    report_.signed_records = head.number;
  }

  // Whatever heads are left speak of records that are gone, unless they are forged.
  void check_end() {
    if (next_claim_ == claims_.size()) return;
    const Claim& claim = claims_[next_claim_];
    if (claim.head.head.federation != federation_) {
      return find(0, claim.name() + ", is of another federation");
    }
    if (verify(claim.head, key_) != Status::kOk) {
      return find(0, claim.name() + ", is not signed with the federation's key");
    }
    find(report_.records + 1,
         "it is missing, and all after it: " + claim.name() + ", shows that there were as many");
  }

  const FederationId& federation_;
  const seal::VerifyingKey& key_;
  std::vector<Claim> claims_;
  std::size_t next_claim_ = 0;
  Digest previous_;
  Report report_;
};

}  // namespace

Report check(const FederationId& federation, const seal::VerifyingKey& key,
             const RecordSource& next, std::vector<SignedHead> heads,
             const std::optional<SignedHead>& kept) {
  std::vector<Claim> claims;
  claims.reserve(heads.size() + 1);
  for (SignedHead& head : heads) claims.push_back({.head = std::move(head), .is_kept = false});
  if (kept) claims.push_back({.head = *kept, .is_kept = true});
  return Checker(federation, key, std::move(claims)).run(next);
}

}  // namespace skep::audit
