#include "skep/pki/certificate.h"

#include <arpa/inet.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <psa/crypto.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>

#include "mbedtls_support.h"
#include "skep/pki/files.h"
#include "skep/wire/codec.h"

namespace skep::pki {
namespace {

constexpr std::size_t kMaxCertificateFileBytes = 16384;
constexpr std::time_t kClockSlackS = 3600;
constexpr std::time_t kSecondsPerDay = 86'400;

// ---- reading

std::string common_name_of(const mbedtls_x509_crt& certificate) {
  const mbedtls_asn1_named_data* found = mbedtls_asn1_find_named_data(
      &certificate.subject, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN));
  if (found == nullptr) return {};
  return {reinterpret_cast<const char*>(found->val.p), found->val.len};
}

std::string ip_text(Bytes address) {
  char text[INET6_ADDRSTRLEN];
  const int family = address.size() == 4 ? AF_INET : AF_INET6;
  if ((address.size() != 4 && address.size() != 16) ||
      ::inet_ntop(family, address.data(), text, sizeof text) == nullptr) {
    throw PkiError("a certificate names an IP address of " + std::to_string(address.size()) +
                   " bytes: expected 4 or 16");
  }
  return text;
}

void read_alternative_names(const mbedtls_x509_crt& from, Certificate& to) {
  for (const mbedtls_x509_sequence* item = &from.subject_alt_names; item != nullptr;
       item = item->next) {
    if (item->buf.p == nullptr) continue;  // The list has an empty head when there is no SAN.
    mbedtls_x509_subject_alternative_name name{};
    if (mbedtls_x509_parse_subject_alt_name(&item->buf, &name) != 0) continue;
    const mbedtls_x509_buf& value = name.san.unstructured_name;
    if (name.type == MBEDTLS_X509_SAN_IP_ADDRESS) {
      to.ip_addresses.push_back(ip_text({value.p, value.len}));
    } else if (name.type == MBEDTLS_X509_SAN_DNS_NAME) {
      to.dns_names.emplace_back(reinterpret_cast<const char*>(value.p), value.len);
    }
    mbedtls_x509_free_subject_alt_name(&name);
  }
}

std::tm to_tm(const mbedtls_x509_time& time) {
  std::tm utc{};
  utc.tm_year = time.year - 1900;
  utc.tm_mon = time.mon - 1;
  utc.tm_mday = time.day;
  utc.tm_hour = time.hour;
  utc.tm_min = time.min;
  utc.tm_sec = time.sec;
  return utc;
}

std::int64_t to_unix_s(const mbedtls_x509_time& time) {
  std::tm utc = to_tm(time);
  return timegm(&utc);
}

Certificate describe(const mbedtls_x509_crt& parsed) {
  Certificate certificate;
  certificate.der.assign(parsed.raw.p, parsed.raw.p + parsed.raw.len);
  certificate.common_name = common_name_of(parsed);
  certificate.public_key = public_key_of(parsed.pk, "a certificate has another kind of key");
  certificate.serial.assign(parsed.serial.p, parsed.serial.p + parsed.serial.len);
  certificate.not_before_unix_s = to_unix_s(parsed.valid_from);
  certificate.not_after_unix_s = to_unix_s(parsed.valid_to);
  read_alternative_names(parsed, certificate);
  return certificate;
}

// ---- writing

using Time = std::array<char, 15>;  // "YYYYMMDDhhmmss", UTC

Time format_time(const std::tm& utc) {
  Time text{};
  if (std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &utc) != text.size() - 1) {
    throw PkiError("the system's clock is outside of the years that X.509 knows");
  }
  return text;
}

std::tm utc_now(std::time_t offset_s) {
  const std::time_t seconds = std::time(nullptr) + offset_s;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return utc;
}

Time years_from_now(int years) {
  std::tm utc = utc_now(0);
  utc.tm_year += years;
  const std::time_t seconds = timegm(&utc);  // The 29th of February becomes the 1st of March.
  gmtime_r(&seconds, &utc);
  return format_time(utc);
}

Time end_of(const mbedtls_x509_crt& certificate) {
  return format_time(to_tm(certificate.valid_to));
}

using KeyId = std::array<std::uint8_t, 20>;

// RFC 7093, section 2, method 1. (Mbed TLS offers SHA-1 only, which we do not build.)
KeyId key_id(const PublicKey& key) {
  std::array<std::uint8_t, 32> digest{};
  std::size_t length = 0;
  if (psa_hash_compute(PSA_ALG_SHA_256, key.data(), key.size(), digest.data(), digest.size(),
                       &length) != PSA_SUCCESS) {
    throw PkiError("cannot compute a SHA-256");
  }
  KeyId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

/// What differs between the three kinds of certificate.
struct Request {
  std::string subject;  ///< "CN=…"
  std::string issuer;
  const PublicKey* subject_key = nullptr;
  const PublicKey* issuer_key = nullptr;
  const PrivateKey* signer = nullptr;
  Time end{};
  bool is_ca = false;
  unsigned key_usage = 0;
  const char* extended_key_usage = nullptr;  ///< An OID of Mbed TLS, or null.
  const mbedtls_x509_san_list* alternative_names = nullptr;
};

void set_identity(mbedtls_x509write_cert* writer, const Request& request) {
  std::array<std::uint8_t, 16> serial{};
  random_bytes(serial);
  // Positive, and 16 bytes without padding: 126 random bits.
  serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3FU) | 0x40U);
  check(mbedtls_x509write_crt_set_serial_raw(writer, serial.data(), serial.size()),
        "cannot set a serial number");
  mbedtls_x509write_crt_set_version(writer, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(writer, MBEDTLS_MD_SHA256);
  check(mbedtls_x509write_crt_set_subject_name(writer, request.subject.c_str()),
        "cannot use the name " + request.subject);
  check(mbedtls_x509write_crt_set_issuer_name(writer, request.issuer.c_str()),
        "cannot use the name " + request.issuer);
  const Time begin = format_time(utc_now(-kClockSlackS));
  check(mbedtls_x509write_crt_set_validity(writer, begin.data(), request.end.data()),
        "cannot set the validity");
}

void set_key_identifiers(mbedtls_x509write_cert* writer, const Request& request) {
  const auto write = [&](const KeyId& id, unsigned char tag, bool in_sequence, const char* oid,
                         std::size_t oid_length) {
    std::array<unsigned char, 64> buffer{};
    unsigned char* at = buffer.data() + buffer.size();
    const auto add = [](int written) {
      check(written, "cannot write a key identifier");
      return static_cast<std::size_t>(written);
    };
    std::size_t length =
        add(mbedtls_asn1_write_raw_buffer(&at, buffer.data(), id.data(), id.size()));
    length += add(mbedtls_asn1_write_len(&at, buffer.data(), id.size()));
    length += add(mbedtls_asn1_write_tag(&at, buffer.data(), tag));
    if (in_sequence) {
      const std::size_t inner = length;
      length += add(mbedtls_asn1_write_len(&at, buffer.data(), inner));
      length += add(mbedtls_asn1_write_tag(&at, buffer.data(),
                                           MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
    }
    check(mbedtls_x509write_crt_set_extension(writer, oid, oid_length, 0, at, length),
          "cannot set a key identifier");
  };
  write(key_id(*request.subject_key), MBEDTLS_ASN1_OCTET_STRING, false,
        MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER, MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER));
  // AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] OCTET STRING … }
  write(key_id(*request.issuer_key), MBEDTLS_ASN1_CONTEXT_SPECIFIC, true,
        MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
        MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER));
}

void set_extensions(mbedtls_x509write_cert* writer, const Request& request) {
  check(mbedtls_x509write_crt_set_basic_constraints(writer, request.is_ca ? 1 : 0,
                                                    request.is_ca ? 0 : -1),
        "cannot set the basic constraints");
  check(mbedtls_x509write_crt_set_key_usage(writer, request.key_usage), "cannot set the key usage");
  set_key_identifiers(writer, request);
  if (request.extended_key_usage != nullptr) {
    mbedtls_asn1_sequence usage{};
    usage.buf.tag = MBEDTLS_ASN1_OID;
    usage.buf.len = std::strlen(request.extended_key_usage);
    usage.buf.p = reinterpret_cast<unsigned char*>(const_cast<char*>(request.extended_key_usage));
    check(mbedtls_x509write_crt_set_ext_key_usage(writer, &usage),
          "cannot set the extended key usage");
  }
  if (request.alternative_names != nullptr) {
    check(mbedtls_x509write_crt_set_subject_alternative_name(writer, request.alternative_names),
          "cannot set the subject alternative names");
  }
}

Certificate sign(const Request& request) {
  start_crypto();
  PkContext subject_key;
  PkContext issuer_key;
  to_pk(*request.subject_key, subject_key.get());
  to_pk(*request.signer, issuer_key.get());
  CertificateWriter writer;
  set_identity(writer.get(), request);
  mbedtls_x509write_crt_set_subject_key(writer.get(), subject_key.get());
  mbedtls_x509write_crt_set_issuer_key(writer.get(), issuer_key.get());
  set_extensions(writer.get(), request);
  std::array<std::uint8_t, 4096> buffer{};
  const int length =
      mbedtls_x509write_crt_der(writer.get(), buffer.data(), buffer.size(), random_source, nullptr);
  check(length, "cannot sign a certificate for " + request.subject);
  return parse_certificate(
      Bytes(buffer).last(static_cast<std::size_t>(length)));  // It writes backwards.
}

void parse_ca(const Certificate& ca, const PrivateKey& ca_key, mbedtls_x509_crt* out) {
  start_crypto();
  check(mbedtls_x509_crt_parse_der(out, ca.der.data(), ca.der.size()), "cannot read the CA");
  if (mbedtls_x509_crt_get_ca_istrue(out) != 1) throw PkiError("the CA's certificate is no CA's");
  if (ca_key.public_key() != ca.public_key) {
    throw PkiError("the CA's key is not the one in its certificate");
  }
}

Request request_from_ca(const mbedtls_x509_crt& ca, const Certificate& ca_certificate,
                        const PrivateKey& ca_key, const PublicKey& subject_key) {
  std::array<char, 256> issuer{};
  check(mbedtls_x509_dn_gets(issuer.data(), issuer.size(), &ca.subject),
        "cannot read the CA's name");
  Request request;
  request.issuer = issuer.data();
  request.subject_key = &subject_key;
  request.issuer_key = &ca_certificate.public_key;
  request.signer = &ca_key;
  request.end = end_of(ca);
  request.key_usage = MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
  return request;
}

bool is_dns_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), allowed);
}

/// Mbed TLS's list of names, and the memory that it points into.
class AlternativeNames {
 public:
  explicit AlternativeNames(const GatewayNames& names) {
    for (const std::string& text : names.ip_addresses) add_ip(text);
    for (const std::string& text : names.dns_names) {
      if (!is_dns_name(text)) throw PkiError("'" + text + "' is not a DNS name");
      add(MBEDTLS_X509_SAN_DNS_NAME, {text.begin(), text.end()});
    }
    if (names.ip_addresses.empty()) throw PkiError("a gateway needs at least one IP address");
  }
  [[nodiscard]] const mbedtls_x509_san_list* list() const { return &nodes_.back(); }

 private:
  void add_ip(const std::string& text) {
    std::vector<std::uint8_t> address(16);
    if (::inet_pton(AF_INET, text.c_str(), address.data()) == 1) {
      address.resize(4);
    } else if (::inet_pton(AF_INET6, text.c_str(), address.data()) != 1) {
      throw PkiError("'" + text + "' is not an IPv4 or IPv6 address");
    }
    add(MBEDTLS_X509_SAN_IP_ADDRESS, std::move(address));
  }

  void add(int type, std::vector<std::uint8_t> value) {
    values_.push_back(std::move(value));
    mbedtls_x509_san_list node{};
    node.node.type = type;
    node.node.san.unstructured_name.p = values_.back().data();
    node.node.san.unstructured_name.len = values_.back().size();
    // Mbed TLS writes backwards: the last node of its list comes first in the certificate.
    if (!nodes_.empty()) node.next = &nodes_.back();
    nodes_.push_back(node);
  }

  // Deques, because their elements stay where they are.
  std::deque<std::vector<std::uint8_t>> values_;
  std::deque<mbedtls_x509_san_list> nodes_;
};

bool is_ca_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name.front() != ' ' && name.back() != ' ' &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

Certificate issue_ca(const PrivateKey& ca_key, const std::string& common_name) {
  if (!is_ca_name(common_name)) {
    throw PkiError("'" + common_name + "' is no name for a CA: expected 1 to 64 of [A-Za-z0-9 .-]");
  }
  Request request;
  request.subject = "CN=" + common_name;
  request.issuer = request.subject;
  request.subject_key = &ca_key.public_key();
  request.issuer_key = &ca_key.public_key();
  request.signer = &ca_key;
  request.end = years_from_now(kCaYears);
  request.is_ca = true;
  request.key_usage = MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN;
  return sign(request);
}

Certificate issue_gateway(const Certificate& ca, const PrivateKey& ca_key,
                          const PublicKey& gateway_key, const GatewayNames& names) {
  const AlternativeNames alternative_names(names);
  ParsedCertificate parsed;
  parse_ca(ca, ca_key, parsed.get());
  Request request = request_from_ca(*parsed.get(), ca, ca_key, gateway_key);
  request.subject = "CN=Skep gateway";
  request.extended_key_usage = MBEDTLS_OID_SERVER_AUTH;
  request.alternative_names = alternative_names.list();
  return sign(request);
}

Certificate issue_device(const Certificate& ca, const PrivateKey& ca_key,
                         const PublicKey& device_key, const std::string& device_name,
                         std::optional<std::uint32_t> days) {
  if (!wire::is_valid_name(device_name.data(), device_name.size())) {
    throw PkiError("'" + device_name + "' is no device name: expected 1 to 32 of [a-z0-9-]");
  }
  ParsedCertificate parsed;
  parse_ca(ca, ca_key, parsed.get());
  Request request = request_from_ca(*parsed.get(), ca, ca_key, device_key);
  request.subject = "CN=" + device_name;
  if (days) {
    // Digits from year to second: the order of the texts is that of the times.
    request.end = std::min(request.end, format_time(utc_now(std::time_t{*days} * kSecondsPerDay)));
  }
  request.extended_key_usage = MBEDTLS_OID_CLIENT_AUTH;
  return sign(request);
}

Certificate parse_certificate(Bytes der) {
  start_crypto();
  ParsedCertificate parsed;
  check(mbedtls_x509_crt_parse_der(parsed.get(), der.data(), der.size()), "not a certificate");
  if (parsed->raw.len != der.size()) throw PkiError("not a certificate: bytes follow it");
  return describe(*parsed.get());
}

void save_certificate(const std::filesystem::path& path, const Certificate& certificate) {
  std::array<unsigned char, 8192> text{};
  std::size_t length = 0;
  check(mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
                                 certificate.der.data(), certificate.der.size(), text.data(),
                                 text.size(), &length),
        "cannot write a certificate as PEM");
  create_file(path, Bytes(text).first(length - 1), Access::kPublic);  // Without the final zero.
}

Certificate load_certificate(const std::filesystem::path& path) {
  start_crypto();
  std::vector<std::uint8_t> text = read_file(path, kMaxCertificateFileBytes);
  text.push_back(0);
  const std::string what = path.string() + " is not one certificate in PEM";
  ParsedCertificate parsed;
  const int failed = mbedtls_x509_crt_parse(parsed.get(), text.data(), text.size());
  check(failed, what);
  if (failed > 0 || parsed->next != nullptr) throw PkiError(what);
  return describe(*parsed.get());
}

}  // namespace skep::pki
