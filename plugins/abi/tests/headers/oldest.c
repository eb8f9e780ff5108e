/* A plugin as somebody wrote it when version 1 began: the numbers 1 and 2, and what its author knew
 * of the layout. Tests compile it against the oldest supported header and against today's.
 *
 * OLDEST: the header is the oldest one, so sizes are exact.
 * LARGER: the table has fields at its end that no host knows yet, and so has the manifest.
 * STRUCT_SIZE: what the table says of its size, if it lies. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include SESSIONQL_HEADER

/* ---- The layout ---- */

enum { POINTER = sizeof(void *), HOST_BYTES = 8 + 6 * POINTER, PLUGIN_BYTES = 8 + 5 * POINTER };

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)

AT(sessionql_response, head, 0);
AT(sessionql_response, head_len, POINTER);
AT(sessionql_response, body, 2 * POINTER);
_Static_assert(sizeof(sessionql_response) == 2 * POINTER + 8, "never grows");

AT(sessionql_host, abi_version, 0);
AT(sessionql_host, struct_size, 4);
AT(sessionql_host, ctx, 8);
AT(sessionql_host, reply, 8 + POINTER);
AT(sessionql_host, http, 8 + 2 * POINTER);
AT(sessionql_host, read, 8 + 3 * POINTER);
AT(sessionql_host, emit, 8 + 4 * POINTER);
AT(sessionql_host, log, 8 + 5 * POINTER);

AT(sessionql_plugin, abi_version, 0);
AT(sessionql_plugin, struct_size, 4);
AT(sessionql_plugin, describe, 8);
AT(sessionql_plugin, connect, 8 + POINTER);
AT(sessionql_plugin, plan, 8 + 2 * POINTER);
AT(sessionql_plugin, scan, 8 + 3 * POINTER);
AT(sessionql_plugin, disconnect, 8 + 4 * POINTER);

#ifdef OLDEST
_Static_assert(sizeof(sessionql_host) == HOST_BYTES, "the oldest host");
_Static_assert(sizeof(sessionql_plugin) == PLUGIN_BYTES, "the oldest plugin");
#else
_Static_assert(sizeof(sessionql_host) >= HOST_BYTES, "fields are only added");
_Static_assert(sizeof(sessionql_plugin) >= PLUGIN_BYTES, "fields are only added");
#endif

_Static_assert(SESSIONQL_ABI_VERSION == 1u, "version 1");
_Static_assert(SESSIONQL_OK == 0 && SESSIONQL_ERROR == 1 && SESSIONQL_CANCELLED == 2, "codes");
_Static_assert(SESSIONQL_GO_ON == 0 && SESSIONQL_STOP == 3, "answers of emit");
_Static_assert(SESSIONQL_LOG_ERROR == 1 && SESSIONQL_LOG_TRACE == 5, "levels");

/* ---- The plugin ---- */

static int32_t reply(const sessionql_host *host, const char *document) {
  host->reply(host->ctx, (const uint8_t *)document, strlen(document));
  return SESSIONQL_OK;
}

static int32_t fail(const sessionql_host *host, const char *document) {
  reply(host, document);
  return SESSIONQL_ERROR;
}

#ifdef LARGER
#define UNKNOWN "\"shines\": {\"how\": [1, 2]}, "
#else
#define UNKNOWN ""
#endif

static int32_t describe(const sessionql_host *host) {
  if (host->abi_version != 1 || host->struct_size < HOST_BYTES)
    return fail(host, "{\"errors\": [{\"code\": \"plugin_error\", \"message\": \"the host is too old\"}]}");
  host->log(host->ctx, SESSIONQL_LOG_DEBUG, (const uint8_t *)"hello", 5);
  return reply(host,
    "{" UNKNOWN "\"name\": \"oldest\", \"version\": \"1.0.0\", \"doc\": \"Counts.\", \"io\": \"own\","
    " \"tables\": [{" UNKNOWN "\"name\": \"numbers\", \"doc\": \"One number.\", \"primary_key\": [\"n\"],"
    "  \"columns\": [{" UNKNOWN "\"name\": \"n\", \"type\": \"int64\", \"doc\": \"The number.\"}]}]}");
}

static int32_t connect(const sessionql_host *host, const uint8_t *options, size_t len, void **connection) {
  (void)options, (void)len, (void)connection;
  return reply(host, "{}");
}

static int32_t plan(void *connection, const sessionql_host *host, const uint8_t *request, size_t len) {
  (void)connection, (void)request, (void)len;
  return reply(host, "{" UNKNOWN "\"slices\": [{}]}");
}

/* Tells whether a column is requested: what follows `"columns":` is not `[]`. */
static int has_column(const char *at, size_t len) {
  static const char name[] = "\"columns\":[";
  size_t n = sizeof name - 1;
  for (; len > n; at++, len--)
    if (memcmp(at, name, n) == 0) return at[n] != ']';
  return 0;
}

static void release_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void release_array(struct ArrowArray *array) { array->release = NULL; }

static int32_t scan(void *connection, const sessionql_host *host, const uint8_t *slice, size_t len) {
  (void)connection;
  static const int64_t numbers[2] = {1, 2};
  static const void *column_buffers[2] = {NULL, numbers}, *batch_buffers[1] = {NULL};
  struct ArrowSchema field = {.format = "l", .name = "n", .release = release_schema}, *fields[1] = {&field};
  struct ArrowArray column = {.length = 2, .n_buffers = 2, .buffers = column_buffers, .release = release_array};
  struct ArrowArray *columns[1] = {&column};
  int64_t n_columns = has_column((const char *)slice, len);
  struct ArrowSchema schema = {.format = "+s", .name = "", .n_children = n_columns, .children = fields,
                               .release = release_schema};
  struct ArrowArray batch = {.length = 2, .n_buffers = 1, .buffers = batch_buffers, .n_children = n_columns,
                             .children = columns, .release = release_array};
  int32_t code = host->emit(host->ctx, &schema, &batch);
  if (code == SESSIONQL_STOP) return SESSIONQL_OK;
  return code == SESSIONQL_GO_ON ? reply(host, "{" UNKNOWN "\"gaps\": []}") : code;
}

static void disconnect(void *connection, const sessionql_host *host) { (void)connection, (void)host; }

#ifdef LARGER
static int32_t shine(void) { return 7; }
static const struct { sessionql_plugin known; int32_t (*shine)(void); uint64_t more[4]; } table = {
  {SESSIONQL_ABI_VERSION, sizeof table, describe, connect, plan, scan, disconnect}, shine, {1, 2, 3, 4}};
const sessionql_plugin *sessionql_plugin_v1(void) { return &table.known; }
#else
#ifndef STRUCT_SIZE
#define STRUCT_SIZE PLUGIN_BYTES
#endif
static const sessionql_plugin table = {
  .abi_version = SESSIONQL_ABI_VERSION, .struct_size = STRUCT_SIZE, .describe = describe,
  .connect = connect, .plan = plan, .scan = scan, .disconnect = disconnect};
const sessionql_plugin *sessionql_plugin_v1(void) { return &table; }
#endif
