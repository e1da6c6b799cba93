// libcoap's memory as lwIP pools: what one client session with four requests under way needs.
// Plain C; lwIP includes it several times.
#include <coap3/coap_internal.h>

// Token and options of a request that is sent or answered block-wise; never a payload.
#define SKEP_COAP_HEAD_BYTES 128

LWIP_MEMPOOL(COAP_CONTEXT, 1, sizeof(coap_context_t), "context")
LWIP_MEMPOOL(COAP_SESSION, 1, sizeof(coap_session_t), "session")
LWIP_MEMPOOL(COAP_NODE, 6, sizeof(coap_queue_t), "node")
LWIP_MEMPOOL(COAP_PDU, 8, sizeof(coap_pdu_t), "pdu")
LWIP_MEMPOOL(COAP_PDU_BUF, 8, SKEP_COAP_HEAD_BYTES, "pdu head")
LWIP_MEMPOOL(COAP_OPTLIST, 10, sizeof(coap_optlist_t) + MEMP_LEN_COAPOPTLIST, "option")
LWIP_MEMPOOL(COAP_STRING, 16, sizeof(coap_string_t) + MEMP_LEN_COAPSTRING, "string")
LWIP_MEMPOOL(COAP_LG_XMIT, 3, sizeof(coap_lg_xmit_t), "sent body")
LWIP_MEMPOOL(COAP_LG_CRCV, 4, sizeof(coap_lg_crcv_t), "received body")
