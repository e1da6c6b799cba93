// lwIP 2.2 as a UDP stack of one device: no threads, no sockets, IPv4, fixed pools. Plain C.
#ifndef SKEP_LWIPOPTS_H
#define SKEP_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0  // nothing of lwIP runs in an interrupt handler
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LOCK_TCPIP_CORE()
#define UNLOCK_TCPIP_CORE()

#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 1
#define LWIP_ICMP 1
#define LWIP_UDP 1
#define LWIP_TCP 0
#define LWIP_RAW 0
#define LWIP_DHCP 0  // the address comes with the provisioning
#define LWIP_ACD 0
// No datagram of ours is larger than a frame, and fragments of others only cost memory.
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_STATS 0
#define MEMP_STATS 0

// ---- memory: all of it is static
#define MEM_ALIGNMENT 4
// Outgoing datagrams: requests that wait for their acknowledgement, and a DTLS record each. A
// CoAP message is made in a buffer of COAP_DEFAULT_MTU.
#define MEM_SIZE (6 * 1024)
// A frame is handled before the next is taken from the controller's own memory; the second
// buffer is for what ARP holds back.
#define PBUF_POOL_SIZE 2
#define PBUF_POOL_BUFSIZE 1536
#define MEMP_NUM_PBUF 4
#define MEMP_NUM_UDP_PCB 2
#define MEMP_NUM_SYS_TIMEOUT 6
#define ARP_TABLE_SIZE 4
#define ETHARP_SUPPORT_STATIC_ENTRIES 0
#define LWIP_NUM_NETIF_CLIENT_DATA 0
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETIF_HOSTNAME 0

// libcoap's pools: lwippools.h.
#define MEMP_USE_CUSTOM_POOLS 1

// Checked by their callers; a message would have nowhere to go.
#define LWIP_NOASSERT 1

#endif  // SKEP_LWIPOPTS_H
