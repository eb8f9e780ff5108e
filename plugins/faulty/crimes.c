/* A plugin that breaks what no Rust plugin can: memory, the table, the rules of Arrow. Tests compile
 * it against the header, with -D for what happens before there are options:
 *   ABI, SIZE      what the table says of itself
 *   NO_SYMBOL, NO_TABLE, NO_SCAN   what is missing
 *   DESCRIBE       1 hangs, 2 aborts, 3 reads NULL, 4 replies twice, 5 replies no UTF-8, 6 replies nothing
 * The option `crime` of a connection names a crime of connect, plan or scan; its table is `rows`. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sessionql_plugin.h"

#ifndef ABI
#define ABI SESSIONQL_ABI_VERSION
#endif
#ifndef SIZE
#define SIZE sizeof(sessionql_plugin)
#endif
#ifndef DESCRIBE
#define DESCRIBE 0
#endif

static char crime[64];
static const sessionql_host *stale;
static sessionql_host stale_table;

static int is(const char *name) { return strcmp(crime, name) == 0; }

static int32_t reply(const sessionql_host *host, const char *document) {
  host->reply(host->ctx, (const uint8_t *)document, strlen(document));
  return SESSIONQL_OK;
}

static void hang(void) { for (;;) pause(); }

static void read_null(void) {
  volatile int *nothing = NULL;
  *nothing = 1;
}

static int32_t describe(const sessionql_host *host) {
  if (DESCRIBE == 1) hang();
  if (DESCRIBE == 2) abort();
  if (DESCRIBE == 3) read_null();
  if (DESCRIBE == 5) return reply(host, "{\"name\": \"\xff\xfe\"}");
  if (DESCRIBE == 6) return SESSIONQL_OK;
  const char *manifest =
    "{\"name\": \"crimes\", \"version\": \"1.0.0\", \"doc\": \"Breaks everything.\", \"io\": \"own\","
    " \"options\": [{\"name\": \"crime\", \"type\": \"text\", \"doc\": \"What to break.\"},"
    "               {\"name\": \"token\", \"type\": \"text\", \"secret\": true, \"doc\": \"A secret.\"}],"
    " \"tables\": [{\"name\": \"rows\", \"doc\": \"A row.\", \"columns\": ["
    "  {\"name\": \"id\", \"type\": \"text\", \"doc\": \"A text.\"},"
    "  {\"name\": \"n\", \"type\": \"int64\", \"doc\": \"A number.\"}]}]}";
  if (DESCRIBE == 4) reply(host, manifest);
  return reply(host, manifest);
}

static int32_t connect(const sessionql_host *host, const uint8_t *options, size_t len, void **connection) {
  static const char key[] = "\"crime\":\"";
  char *at = memmem(options, len, key, sizeof key - 1);
  size_t length = 0;
  if (at) {
    at += sizeof key - 1;
    while (at[length] != '"' && length < sizeof crime - 1) length++;
    memcpy(crime, at, length);
  }
  crime[length] = '\0';
  *connection = NULL;
  if (is("segfault_in_connect")) read_null();
  if (is("hang_in_connect")) hang();
  if (is("tells_secrets")) {
    char *token = memmem(options, len, "\"token\":\"", 9);
    if (token && write(2, token, 40) > 0 && write(2, "\n", 1) > 0) abort();
  }
  return reply(host, "{}");
}

static int32_t plan(void *connection, const sessionql_host *host, const uint8_t *request, size_t len) {
  (void)connection, (void)request, (void)len;
  stale = host;
  stale_table = *host;
  if (is("segfault_in_plan")) read_null();
  if (is("hang_in_plan")) hang();
  return reply(host, "{\"slices\": [{}]}");
}

static void release_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void release_array(struct ArrowArray *array) { array->release = NULL; }

/* Returns a text of two bytes behind which nothing can be read. */
static const char *at_the_edge(void) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE) != 0) abort();
  return memcpy(pages + size - 2, "ab", 2);
}

/* Emits the rows ("a", 1) and ("b", 2), with whatever is wrong with them. */
static int32_t emit(const sessionql_host *host) {
  static int32_t offsets[] = {0, 1, 2}, far_offsets[] = {0, 1 << 30, 2}, far_end[] = {0, 1, 1 << 30},
                 negative_offsets[] = {0, -4, 2},
                 falling_offsets[] = {0, 2, 1};
  static int64_t numbers[] = {1, 2};
  static const void *none[] = {NULL}, *texts[] = {NULL, offsets, "ab"}, *ints[] = {NULL, numbers, NULL};
  struct ArrowSchema fields[] = {{.format = "u", .name = "id", .release = release_schema},
                                 {.format = "l", .name = "n", .release = release_schema}};
  struct ArrowSchema *field_pointers[] = {&fields[0], &fields[1]};
  struct ArrowSchema schema = {.format = "+s", .name = "", .n_children = 2, .children = field_pointers,
                               .release = release_schema};
  struct ArrowArray columns[] = {
    {.length = 2, .n_buffers = 3, .buffers = texts, .release = release_array},
    {.length = 2, .n_buffers = 2, .buffers = ints, .release = release_array}};
  struct ArrowArray *column_pointers[] = {&columns[0], &columns[1]};
  struct ArrowArray array = {.length = 2, .n_buffers = 1, .n_children = 2, .buffers = none,
                             .children = column_pointers, .release = release_array};
  texts[1] = is("far_offsets") ? far_offsets : is("far_end") ? far_end : is("negative_offsets") ? negative_offsets
           : is("falling_offsets") ? falling_offsets : is("null_offsets") ? NULL : offsets;
  texts[2] = is("invalid_utf8") ? "\xff\xfe" : is("null_text") ? NULL : is("far_end") ? at_the_edge() : "ab";
  ints[1] = is("null_numbers") ? NULL : (const void *)numbers;
  if (is("null_child")) column_pointers[1] = NULL;
  if (is("few_buffers")) columns[0].n_buffers = 1;
  if (is("few_children")) array.n_children = 1;
  if (is("long_struct")) array.length = 1000;
  if (is("long_column")) columns[1].length = (int64_t)1 << 40;
  if (is("released")) array.release = NULL;
  if (is("bad_format")) fields[1].format = "nonsense";
  if (is("no_format")) fields[1].format = NULL;
  if (is("null_batch")) return host->emit(host->ctx, &schema, NULL);
  return host->emit(host->ctx, &schema, &array);
}

/* Writes nonsense wherever something is open. */
static void scribble(void) {
  for (int fd = 3; fd < 64; fd++)
    if (write(fd, "what the host never hears", 25) < 0) continue;
}

static int32_t scan(void *connection, const sessionql_host *host, const uint8_t *slice, size_t len) {
  (void)connection, (void)slice, (void)len;
  if (is("segfault")) read_null();
  if (is("abort")) abort();
  if (is("stops_itself")) raise(SIGSTOP);
  if (is("killed")) raise(SIGKILL);
  if (is("exits")) _exit(7);
  if (is("scribbles")) scribble();
  if (is("closes_all")) for (int fd = 3; fd < 64; fd++) close(fd);
  if (is("closes_all")) hang();
  if (is("calls_back_too_late")) stale_table.emit(stale->ctx, NULL, NULL);
  if (is("has_environment") && environ && environ[0]) abort();
  if (is("reads_its_input") && read(0, crime, 1) != 0) abort();
  if (is("unknown_code")) return 42;
  if (is("cancels_itself")) return SESSIONQL_CANCELLED;
  if (is("error_without_document")) return SESSIONQL_ERROR;
  if (is("logs_no_utf8")) host->log(host->ctx, 3, (const uint8_t *)"\xff\xfe", 2);
  int32_t code = emit(host);
  if (is("segfault_after_rows")) read_null();
  if (code == SESSIONQL_STOP) return SESSIONQL_OK;
  if (code != SESSIONQL_GO_ON) return code;
  if (is("replies_twice")) reply(host, "{}");
  if (is("invalid_utf8_reply")) return reply(host, "{\"notes\": [\"\xff\xfe\"]}");
  return reply(host, "{}");
}

static void disconnect(void *connection, const sessionql_host *host) {
  (void)connection, (void)host;
  if (is("segfault_in_disconnect")) read_null();
  if (is("hang_in_disconnect")) hang();
}

#ifdef NO_SCAN
#define SCAN (scan, (void *)0)
#else
#define SCAN scan
#endif

#ifdef NO_SYMBOL
#define sessionql_plugin_v1 another_symbol
SESSIONQL_EXPORT const sessionql_plugin *another_symbol(void);
#endif

const sessionql_plugin *sessionql_plugin_v1(void) {
  static sessionql_plugin plugin;
  plugin.abi_version = ABI;
  plugin.struct_size = (uint32_t)SIZE;
  plugin.describe = describe;
  plugin.connect = connect;
  plugin.plan = plan;
  plugin.scan = SCAN;
  plugin.disconnect = disconnect;
#ifdef NO_TABLE
  return NULL;
#else
  return &plugin;
#endif
}
