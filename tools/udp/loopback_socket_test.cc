#include "skep/udp/loopback_socket.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <utility>
#include <vector>

namespace skep::udp {
namespace {

using Buffer = std::vector<std::uint8_t>;

// What comes next, waiting for it.
Datagram wait_for(const LoopbackSocket& socket, Buffer& buffer) {
  buffer.resize(LoopbackSocket::kMaxDatagramBytes);
  pollfd readable{.fd = socket.descriptor(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&readable, 1, -1), 1);
  return socket.receive(buffer).value();
}

TEST(LoopbackSocket, CarriesDatagramsBothWays) {
  LoopbackSocket server;
  const Port port = server.bind();
  LoopbackSocket client;
  client.connect(port);
  Buffer memory;
  EXPECT_FALSE(server.receive(memory).has_value());

  const Buffer request{1, 2, 3};
  ASSERT_TRUE(client.send(request));
  const Datagram heard = wait_for(server, memory);
  EXPECT_EQ(Buffer(heard.content.begin(), heard.content.end()), request);

  const Buffer answer;
  ASSERT_TRUE(server.send_to(heard.sender, answer));
  const Datagram back = wait_for(client, memory);
  EXPECT_EQ(back.sender, port);
  EXPECT_TRUE(back.content.empty());
}

TEST(LoopbackSocket, SaysWhenNobodyListens) {
  LoopbackSocket client;
  client.connect(LoopbackSocket().bind());  // closed again
  const Buffer request{1};
  EXPECT_TRUE(client.send(request));   // answered by ICMP
  EXPECT_FALSE(client.send(request));  // which is told now
}

TEST(LoopbackSocket, KeepsItsPortWhenMoved) {
  LoopbackSocket first;
  const Port port = first.bind();
  const LoopbackSocket second = std::move(first);
  LoopbackSocket client;
  client.connect(port);
  ASSERT_TRUE(client.send(std::array<std::uint8_t, 1>{7}));
  Buffer memory;
  EXPECT_EQ(wait_for(second, memory).content.front(), 7);
}

}  // namespace
}  // namespace skep::udp
