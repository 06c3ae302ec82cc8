// The alignment kernel (science/kernels/align.ts) in C, with FFTW: the yardstick of the WebAssembly. The arithmetic is the same,
// in 32 bits. Its layout suits C: harmonics are neighbours, in GCC's vectors of eight, which plain -O3 turns into SSE. FFTW
// gets whole batches in its interleaved format (the split format took five times as long), and transforms only the rows and
// columns that are read.
//
// align INPUT OUTPUT TASKS: prints milliseconds a task, one line each; the matches of the last task go to OUTPUT.
#include <fftw3.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef float v8 __attribute__((vector_size(32)));

// Rows of the input file's header, then the shifts (x, y), the references and the particles.
struct input {
  int32_t box, min_ring, max_ring, shifts, references, particles;
  float particle_radius;
  float *shift, *reference, *particle;
};

struct grid {
  int box, padded, rings, angles, harmonics, min_ring, columns, shifts, blocks, spectrum;
  int *first_ring;
  // Of each polar sample: its places in the rows below and above, weights, sign of the imaginary part.
  struct sample { int low, high; float w00, w10, w01, w11, sign; } *samples;
  // Of each shift the cosines of all samples, then the sines. A shift of zero comes last.
  float *phases;
  float *correction;
};

// Eight neighbouring harmonics of one ring. A spectrum is an array of these, block by block, ring by ring.
struct eight { v8 re, im; };

struct match { float score; int32_t angle, shift; };

static fftwf_plan rows_plan, columns_plan, rings_plan, backward_plan;
static float *image, *polar_re, *polar_im;
static fftwf_complex *half, *ring_pairs, *joined, *correlations;

static void *take(size_t bytes) {
  void *at = fftwf_malloc(bytes);
  if (!at) exit(2);
  memset(at, 0, bytes);
  return at;
}

static struct input read_input(const char *path) {
  struct input in;
  FILE *file = fopen(path, "rb");
  if (!file || fread(&in, 4, 7, file) != 7) exit(2);
  const size_t area = (size_t)in.box * in.box;
  const size_t counts[] = {2 * in.shifts, area * in.references, area * in.particles};
  float **parts[] = {&in.shift, &in.reference, &in.particle};
  for (int i = 0; i < 3; i++) {
    *parts[i] = take(4 * counts[i]);
    if (fread(*parts[i], 4, counts[i], file) != counts[i]) exit(2);
  }
  fclose(file);
  return in;
}

static int padded_size(int box) {
  int padded = 1;
  while (padded < 2 * box) padded *= 2;
  return padded;
}

static int highest(int ring, const struct input *in) {
  return (int)ceil(2 * M_PI * ring * (double)in->particle_radius / in->box) + 2;
}

static void fill_phases(const struct grid *g, double x, double y, float *to) {
  const int count = g->rings * g->angles / 2;
  for (int i = 0; i < count; i++) {
    const double angle = 2 * M_PI * (i % (g->angles / 2)) / g->angles;
    const int ring = g->min_ring + i / (g->angles / 2);
    const double phase = -2 * M_PI * ring * (cos(angle) * x + sin(angle) * y) / g->box;
    to[i] = cos(phase);
    to[count + i] = sin(phase);
  }
}

static struct grid make_grid(const struct input *in) {
  struct grid g = {.box = in->box, .min_ring = in->min_ring, .rings = in->max_ring - in->min_ring + 1, .angles = 16};
  while (g.angles <= 2 * highest(in->max_ring, in)) g.angles *= 2;
  g.harmonics = highest(in->max_ring, in) < g.angles / 2 - 1 ? highest(in->max_ring, in) : g.angles / 2 - 1;
  g.padded = padded_size(g.box);
  g.columns = (g.padded / g.box) * in->max_ring + 2;
  g.shifts = in->shifts;
  g.blocks = g.harmonics / 8 + 1;
  g.spectrum = g.blocks * g.rings;
  g.first_ring = take(4 * (g.harmonics + 1));
  for (int m = 0; m <= g.harmonics; m++)
    while (g.first_ring[m] < g.rings - 1 && highest(g.min_ring + g.first_ring[m], in) < m) g.first_ring[m]++;
  const int count = g.rings * g.angles / 2;
  g.samples = take(count * sizeof *g.samples);
  for (int i = 0; i < count; i++) {
    const double angle = 2 * M_PI * (i % (g.angles / 2)) / g.angles;
    const int ring = g.min_ring + i / (g.angles / 2);
    double x = (double)g.padded / g.box * ring * cos(angle), y = (double)g.padded / g.box * ring * sin(angle);
    const int sign = x < 0 ? -1 : 1;
    x *= sign;
    y *= sign;
    const int x0 = floor(x), y0 = floor(y);
    const double fx = x - x0, fy = y - y0;
    const int row = g.padded / 2 + 1;
    g.samples[i] = (struct sample){
      ((y0 + g.padded) % g.padded) * row + x0, ((y0 + 1 + g.padded) % g.padded) * row + x0,
      (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy, sign};
    // The origin of phases is the middle pixel: samples of odd kx + ky are negated.
    struct sample *s = &g.samples[i];
    const int odd = (x0 + y0) & 1;
    s->w00 *= odd ? -1 : 1;
    s->w11 *= odd ? -1 : 1;
    s->w10 *= odd ? 1 : -1;
    s->w01 *= odd ? 1 : -1;
  }
  g.phases = take((size_t)(g.shifts + 1) * 2 * count * 4);
  for (int i = 0; i <= g.shifts; i++)
    fill_phases(
      &g, i < g.shifts ? in->shift[2 * i] : 0, i < g.shifts ? in->shift[2 * i + 1] : 0, g.phases + 2 * i * count);
  g.correction = take(4 * g.box);
  for (int i = 0; i < g.box; i++) {
    const double angle = M_PI * (i - g.box / 2) / g.padded;
    g.correction[i] = angle == 0 ? 1 : 1 / pow(sin(angle) / angle, 2);
  }
  return g;
}

static void free_grid(struct grid *g) {
  fftwf_free(g->first_ring);
  fftwf_free(g->samples);
  fftwf_free(g->phases);
  fftwf_free(g->correction);
}

static void make_plans(const struct grid *g) {
  const int n = g->padded, row = n / 2 + 1, offset = (n - g->box) / 2;
  image = take(4 * (size_t)n * n);
  half = take(8 * (size_t)row * n);
  const int pairs = (g->shifts + 1) / 2, ring_pair_count = (g->rings + 1) / 2;
  polar_re = take(4 * g->rings * g->angles / 2);
  polar_im = take(4 * g->rings * g->angles / 2);
  ring_pairs = take(8 * (size_t)ring_pair_count * g->angles);
  joined = take(8 * (size_t)pairs * g->angles);
  correlations = take(8 * (size_t)pairs * g->angles);
  // Only rows that are not zero, and columns that are read, are transformed.
  rows_plan = fftwf_plan_many_dft_r2c(
    1, &n, g->box, image + offset * n, NULL, 1, n, half + offset * row, NULL, 1, row, FFTW_PATIENT);
  columns_plan = fftwf_plan_many_dft(
    1, &n, g->columns, half, NULL, row, 1, half, NULL, row, 1, FFTW_FORWARD, FFTW_PATIENT);
  rings_plan = fftwf_plan_many_dft(
    1, &g->angles, ring_pair_count, ring_pairs, NULL, 1, g->angles, ring_pairs, NULL, 1, g->angles, FFTW_FORWARD,
    FFTW_PATIENT);
  backward_plan = fftwf_plan_many_dft(
    1, &g->angles, pairs, joined, NULL, 1, g->angles, correlations, NULL, 1, g->angles, FFTW_BACKWARD, FFTW_PATIENT);
  // Planning overwrites its arrays.
  memset(image, 0, 4 * (size_t)n * n);
}

static void sample_polar(const struct grid *g, const float *pixels) {
  const int n = g->padded, row = n / 2 + 1, offset = (n - g->box) / 2;
  for (int y = 0; y < g->box; y++) {
    float *to = image + (size_t)(y + offset) * n + offset;
    for (int x = 0; x < g->box; x++) to[x] = pixels[y * g->box + x] * g->correction[y] * g->correction[x];
  }
  for (int y = 0; y < n; y++)
    if (y < offset || y >= offset + g->box) memset(half + (size_t)y * row, 0, 8 * g->columns);
  fftwf_execute(rows_plan);
  fftwf_execute(columns_plan);
  for (int i = 0; i < g->rings * g->angles / 2; i++) {
    const struct sample s = g->samples[i];
    const fftwf_complex *low = half + s.low, *high = half + s.high;
    polar_re[i] = s.w00 * low[0][0] + s.w10 * low[1][0] + s.w01 * high[0][0] + s.w11 * high[1][0];
    polar_im[i] = s.sign * (s.w00 * low[0][1] + s.w10 * low[1][1] + s.w01 * high[0][1] + s.w11 * high[1][1]);
  }
}

// Re F + Im F of a whole ring, into the real (0) or imaginary (1) parts of a transform.
static void hartley(const struct grid *g, const float *phases, int ring, float *restrict to) {
  const int n = g->angles / 2, count = g->rings * n;
  const float *re = polar_re + ring * n, *im = polar_im + ring * n;
  const float *cos = phases + ring * n, *sin = phases + count + ring * n;
  for (int i = 0; i < n; i++) {
    const float moved_re = re[i] * cos[i] - im[i] * sin[i];
    const float moved_im = re[i] * sin[i] + im[i] * cos[i];
    to[2 * i] = moved_re + moved_im;
    to[2 * (i + n)] = moved_re - moved_im;
  }
}

// The angular spectra of the sampled image moved by one shift.
static void ring_spectra(const struct grid *g, int shift, struct eight *to) {
  const float *phases = g->phases + (size_t)shift * g->rings * g->angles;
  for (int ring = 0; ring < g->rings; ring++)
    hartley(g, phases, ring, (float *)(ring_pairs + ring / 2 * g->angles) + ring % 2);
  fftwf_execute(rings_plan);
  for (int ring = 0; ring < g->rings; ring += 2) {
    const fftwf_complex *f = ring_pairs + ring / 2 * g->angles;
    for (int m = 0; m <= g->harmonics; m++) {
      const float *at = f[m], *mirror = f[m == 0 ? 0 : g->angles - m];
      struct eight *e = to + m / 8 * g->rings + ring;
      e[0].re[m % 8] = (at[0] + mirror[0]) * 0.5f;
      e[0].im[m % 8] = (at[1] - mirror[1]) * 0.5f;
      if (ring + 1 == g->rings) continue;
      e[1].re[m % 8] = (at[1] + mirror[1]) * 0.5f;
      e[1].im[m % 8] = (mirror[0] - at[0]) * 0.5f;
    }
  }
}

static double power_of(const struct grid *g, const struct eight *spectrum) {
  double power = 0;
  for (int m = 0; m <= g->harmonics; m++)
    for (int ring = 0; ring < g->rings; ring++) {
      const struct eight *e = spectrum + m / 8 * g->rings + ring;
      const double re = e->re[m % 8], im = e->im[m % 8];
      power += (m == 0 ? 1 : 2) * (double)(g->min_ring + ring) * (re * re + im * im);
    }
  return power;
}

// Weighs the rings of a reference by their radius and scales it to unit power; harmonics beyond a ring's band become 0.
static void weigh(const struct grid *g, struct eight *spectrum) {
  const double scale = 1 / sqrt(power_of(g, spectrum));
  for (int block = 0; block < g->blocks; block++)
    for (int ring = 0; ring < g->rings; ring++) {
      struct eight *e = spectrum + block * g->rings + ring;
      for (int i = 0; i < 8; i++) {
        const int m = 8 * block + i;
        const float weight = m <= g->harmonics && ring >= g->first_ring[m] ? scale * (g->min_ring + ring) : 0;
        e->re[i] *= weight;
        e->im[i] *= weight;
      }
    }
}

// Sums over rings for two shifts, joined as the real and the imaginary part of an inverse transform's input.
static void correlate(
  const struct grid *g, const struct eight *a, const struct eight *b, const struct eight *reference, fftwf_complex *to) {
  for (int block = 0; block < g->blocks; block++) {
    v8 are = {0}, aim = {0}, bre = {0}, bim = {0};
    for (int i = block * g->rings + g->first_ring[8 * block]; i < (block + 1) * g->rings; i++) {
      const v8 re = reference[i].re, im = reference[i].im;
      are += a[i].re * re + a[i].im * im;
      aim += a[i].re * im - a[i].im * re;
      bre += b[i].re * re + b[i].im * im;
      bim += b[i].re * im - b[i].im * re;
    }
    const v8 re = are - bim, im = aim + bre, mirror_re = are + bim, mirror_im = bre - aim;
    for (int i = 0; i < 8 && 8 * block + i <= g->harmonics; i++) {
      const int m = 8 * block + i;
      to[m][0] = m == 0 ? are[0] : re[i];
      to[m][1] = m == 0 ? bre[0] : im[i];
      if (m == 0) continue;
      to[g->angles - m][0] = mirror_re[i];
      to[g->angles - m][1] = mirror_im[i];
    }
  }
}

static float highest_of(const float *values, int count) {
  float best[16];
  memcpy(best, values, sizeof best);
  for (int i = 16; i < count; i += 16)
    for (int lane = 0; lane < 16; lane++) best[lane] = values[i + lane] > best[lane] ? values[i + lane] : best[lane];
  for (int lane = 1; lane < 16; lane++) best[0] = best[lane] > best[0] ? best[lane] : best[0];
  return best[0];
}

static struct match best_match(const struct grid *g, const struct eight *spectra, const struct eight *reference) {
  const int pairs = (g->shifts + 1) / 2;
  for (int pair = 0; pair < pairs; pair++) {
    const int second = 2 * pair + 1 < g->shifts ? 2 * pair + 1 : 2 * pair;
    correlate(
      g, spectra + 2 * pair * g->spectrum, spectra + second * g->spectrum, reference, joined + pair * g->angles);
  }
  fftwf_execute(backward_plan);
  const float *values = (float *)correlations;
  const int count = 2 * pairs * g->angles;
  const float best = highest_of(values, count);
  int at = 0;
  while (at < count - 1 && values[at] != best) at++;
  const int shift = at / (2 * g->angles) * 2 + at % 2;
  return (struct match){best, at / 2 % g->angles, shift < g->shifts ? shift : g->shifts - 1};
}

static void align_task(const struct input *in, struct match *matches) {
  struct grid g = make_grid(in);
  const size_t area = (size_t)g.box * g.box;
  struct eight *spectra = take((size_t)g.shifts * g.spectrum * sizeof *spectra);
  struct eight *references = take((size_t)in->references * g.spectrum * sizeof *references);
  for (int r = 0; r < in->references; r++) {
    sample_polar(&g, in->reference + r * area);
    ring_spectra(&g, g.shifts, references + r * g.spectrum);
    weigh(&g, references + r * g.spectrum);
  }
  for (int p = 0; p < in->particles; p++) {
    sample_polar(&g, in->particle + p * area);
    for (int shift = 0; shift < g.shifts; shift++) ring_spectra(&g, shift, spectra + shift * g.spectrum);
    const float norm = 1 / sqrt(power_of(&g, spectra));
    for (int r = 0; r < in->references; r++) {
      struct match best = best_match(&g, spectra, references + r * g.spectrum);
      best.score *= norm;
      matches[p * in->references + r] = best;
    }
  }
  fftwf_free(spectra);
  fftwf_free(references);
  free_grid(&g);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const struct input in = read_input(argv[1]);
  // Planning takes FFTW seconds, once for a machine, and is not counted.
  struct grid g = make_grid(&in);
  make_plans(&g);
  struct match *matches = take((size_t)in.particles * in.references * sizeof *matches);
  for (int task = 0; task < atoi(argv[3]); task++) {
    // Zeros stay between the harmonics and their mirrors; planning overwrote them.
    if (task == 0) memset(joined, 0, 8 * (size_t)((g.shifts + 1) / 2) * g.angles);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    align_task(&in, matches);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6);
  }
  FILE *file = fopen(argv[2], "wb");
  if (!file) return 2;
  fwrite(matches, sizeof *matches, (size_t)in.particles * in.references, file);
  return fclose(file) != 0;
}
