// Threads that share one open file: each read takes the file's position lock, a mutex of the kernel.
// usage: mutex-storm THREADS READS_PER_THREAD; prints CPU and wall nanoseconds a read
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int fd;
static long reads;

static void *storm(void *unused)
{
	char byte;

	for (long i = 0; i < reads; i++) {
		lseek(fd, 0, SEEK_SET);
		if (read(fd, &byte, 1) < 0)
			exit(1);
	}
	return unused;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t ids[64];
	struct timespec start, end;
	struct rusage usage;
	double cpu, wall, total;

	reads = argc > 2 ? atol(argv[2]) : 100000;
	if (threads < 1 || threads > 64)
		return 2;
	fd = open("/proc/self/exe", O_RDONLY);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, storm, NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	getrusage(RUSAGE_SELF, &usage);
	total = (double)threads * reads;
	cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
	      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
	wall = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
	printf("%.1f %.1f\n", cpu / total, wall / total);
	return 0;
}
