/* A program with one action an argument, for the tests of programs as kernels. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int copy(FILE *from, FILE *to) {
  char buffer[4096];
  size_t count;
  if (!from || !to) return perror("open"), 1;
  while ((count = fread(buffer, 1, sizeof buffer, from)) > 0) fwrite(buffer, 1, count, to);
  return 0;
}

extern char **environ;

int main(int count, char **arguments) {
  const char *action = count > 1 ? arguments[1] : "";
  const char *operand = count > 2 ? arguments[2] : "";
  if (!strcmp(action, "echo")) {
    for (int i = 2; i < count; i++) printf("%s\n", arguments[i]);
    for (char **each = environ; *each; each++) printf("%s\n", *each);
    return 0;
  }
  if (!strcmp(action, "cat")) return copy(*operand ? fopen(operand, "rb") : stdin, stdout);
  if (!strcmp(action, "write")) {
    mkdir("out", 0777);
    FILE *file = fopen("out/result.txt", "w");
    if (!file) return 1;
    fprintf(file, "%s", operand);
    fclose(file);
    printf("written");
    return 0;
  }
  if (!strcmp(action, "append")) {
    FILE *file = fopen(operand, "a+");
    fputs("+", file);
    rewind(file);
    return copy(file, stdout);
  }
  if (!strcmp(action, "many")) {
    FILE *file = fopen("many.txt", "w");
    for (int i = 0; i < atoi(operand); i++) fputc('x', file), fflush(file);
    fclose(file);
    struct stat found;
    stat("many.txt", &found);
    printf("%lld", (long long)found.st_size);
    return 0;
  }
  if (!strcmp(action, "list")) {
    DIR *directory = opendir(operand);
    for (struct dirent *entry; directory && (entry = readdir(directory));) printf("%s\n", entry->d_name);
    return 0;
  }
  if (!strcmp(action, "sum")) {
    unsigned hash = 2166136261u;
    FILE *file = *operand ? fopen(operand, "rb") : stdin;
    for (int each; (each = getc(file)) != EOF;) hash = (hash ^ each) * 16777619u;
    printf("%08x", hash);
    return 0;
  }
  if (!strcmp(action, "at")) {
    FILE *file = fopen(operand, "rb");
    char found[9] = "";
    fseek(file, atol(arguments[3]), SEEK_SET);
    fread(found, 1, 8, file);
    printf("%s", found);
    return 0;
  }
  if (!strcmp(action, "fail")) {
    fprintf(stderr, "no such particle\n");
    return atoi(operand);
  }
  if (!strcmp(action, "trap")) __builtin_trap();
  if (!strcmp(action, "clock")) {
    unsigned char random[8];
    getentropy(random, sizeof random);
    for (int i = 0; i < 8; i++) printf("%02x", random[i]);
    sleep(3600);
    struct timespec elapsed;
    clock_gettime(CLOCK_MONOTONIC, &elapsed);
    printf(" %lld %lld", (long long)time(NULL), (long long)elapsed.tv_sec);
    return 0;
  }
  if (!strcmp(action, "memory")) {
    size_t held = 0;
    for (char *volatile block; (block = malloc(1 << 20)); held++) block[0] = 1;
    fprintf(stderr, "out of memory at %zu MiB\n", held);
    return 12;
  }
  if (!strcmp(action, "fill")) {
    FILE *file = fopen("endless", "w");
    char block[65536] = {0};
    while (fwrite(block, 1, sizeof block, file) == sizeof block) {}
    fprintf(stderr, "%s\n", strerror(errno));
    return 13;
  }
  if (!strcmp(action, "noise")) {
    for (int i = 0; i < 200000; i++) fprintf(stderr, "noise %d\n", i);
    return 14;
  }
  if (!strcmp(action, "hang")) for (volatile int i = 0;; i++) {}
  if (!strcmp(action, "open")) {
    FILE *file = fopen(operand, "r");
    printf("%s", file ? "opened" : strerror(errno));
    return 0;
  }
  return 2;
}
