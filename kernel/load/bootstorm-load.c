// SPDX-License-Identifier: GPL-2.0
/*
 * Threads of the kernel that change entries of the direct map, one on each CPU, and how long each
 * change takes. Built in, for kernels that are to be compared.
 *
 *   echo toggle threads=2 ops=100000 > /proc/bootstorm-load	makes ready and warms up
 *   echo run > /proc/bootstorm-load				measures
 *   cat /proc/bootstorm-load					the result, a line of JSON
 *
 * toggle: pages of 2 MiB blocks whose mapping is split already are made invalid and valid again, as
 *	rmpupdate() of the SNP host patches of 2022 did with every page that it gave to a guest.
 * split: each operation is the first change in a 2 MiB mapping.
 * mixed: odd threads take their pages through the attributes of a module's or a BPF program's text
 *	(ro, x, nx, rw), and look whether that is what they got. Beside them, until they are done,
 *	even threads toggle pages of their own in the 2 MiB block that thread 1 is at.
 *
 * words	meaning								default
 * threads	on the first so many CPUs					1
 * ops		operations of each thread; mixed: of each odd one		20000
 * warm_up	operations of each thread before, not measured; not mixed	ops / 10
 * blocks	2 MiB blocks of each thread; mixed: of all together		1, 16
 * shared	toggle: all threads have pages in every block (0 or 1)		0
 * limit_ms	a thread ends after so long					20000
 *
 * Times are cycles of the TSC: host cycles, where a VM is emulated.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include <asm/msr.h>
#include <asm/qspinlock.h>
#include <asm/tsc.h>

#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define BLOCK_PAGES	(1UL << BLOCK_ORDER)

/*
 * A histogram of times: 16 buckets for each power of two, so a percentile is right to 1/16. A time
 * below 16 has a bucket of its own.
 */
#define BUCKETS		(61 * 16)

enum load { TOGGLE, SPLIT, MIXED };

static const char * const load_names[] = { "toggle", "split", "mixed" };

struct order {
	enum load load;
	unsigned int threads, ops, warm_up, blocks, shared, limit_ms;
};

struct block {
	struct page *page;	/* the first of 512 */
	void *area;		/* mixed: where vmalloc mapped them */
};

struct worker {
	unsigned int index;
	struct page *toggled;	/* mixed: what is invalid now */
	u64 begin, end;		/* TSC */
	u64 ops, failed;
	u64 wrong_entry;	/* mixed: the tables do not say what was asked for last */
	u64 wrong_access;	/* mixed: a write went through, or did not, against the tables */
	u64 sum, max;
	u32 histogram[BUCKETS];
} ____cacheline_aligned_in_smp;

static DEFINE_MUTEX(mutex);	/* of all below */
static struct order order;
static struct block *blocks;
static unsigned int block_count;
static struct worker *workers;
static u64 splits;
static bool prepared, measured;

/* One run of all threads. */
static unsigned int run_first, run_ops;
static atomic_t run_waiting, run_working, run_odd;
static u64 run_deadline;
static DECLARE_COMPLETION(run_done);

static unsigned int bucket_of(u64 time)
{
	unsigned int log = time < 16 ? 0 : ilog2(time) - 3;

	return log == 0 ? time : log * 16 + ((time >> (log - 1)) & 15);
}

/* The largest time of a bucket. */
static u64 bucket_max(unsigned int bucket)
{
	unsigned int log = bucket / 16;

	return log == 0 ? bucket : ((17ULL + bucket % 16) << (log - 1)) - 1;
}

static struct page *toggled_page(const struct worker *worker, unsigned int change)
{
	unsigned int stride = order.shared ? order.threads : 1;
	unsigned int of_block = BLOCK_PAGES / stride;
	unsigned int i = change % (of_block * (order.shared ? block_count : order.blocks));
	unsigned int first = order.shared ? 0 : worker->index * order.blocks;

	return blocks[first + i / of_block].page +
	       i % of_block * stride + (order.shared ? worker->index : 0);
}

static int toggle(const struct worker *worker, unsigned int op)
{
	struct page *page = toggled_page(worker, op / 2);

	return op % 2 == 0 ? set_direct_map_invalid_noflush(page) :
			     set_direct_map_default_noflush(page);
}

static int split(const struct worker *worker, unsigned int op)
{
	return set_direct_map_invalid_noflush(blocks[op * order.threads + worker->index].page);
}

static void look(struct worker *worker, unsigned long area, struct page *page, bool rw, bool nx)
{
	unsigned int level;
	pte_t *pte = lookup_address(area, &level);
	pte_t *direct = lookup_address((unsigned long)page_address(page), &level);
	char byte = 0;

	if (!!(pte_val(*pte) & _PAGE_RW) != rw || !!(pte_val(*pte) & _PAGE_NX) != nx ||
	    !!(pte_val(*direct) & _PAGE_RW) != rw || !(pte_val(*direct) & _PAGE_PRESENT))
		worker->wrong_entry++;
	if ((copy_to_kernel_nofault((void *)area, &byte, 1) == 0) != rw)
		worker->wrong_access++;
}

/* Every four operations go through one page; a thread has every threads-th page of a block. */
static unsigned int mixed_block(unsigned int op)
{
	return op / 4 / (BLOCK_PAGES / order.threads) % block_count;
}

static unsigned int mixed_page(const struct worker *worker, unsigned int op)
{
	return op / 4 % (BLOCK_PAGES / order.threads) * order.threads + worker->index;
}

static int mix_toggle(struct worker *worker, unsigned int op)
{
	struct page *page = worker->toggled;

	if (page) {
		worker->toggled = NULL;
		return set_direct_map_default_noflush(page);
	}
	page = blocks[mixed_block(run_first + READ_ONCE(workers[1].ops))].page +
	       mixed_page(worker, op);
	worker->toggled = page;
	return set_direct_map_invalid_noflush(page);
}

static int mix_attributes(struct worker *worker, unsigned int op)
{
	struct block *block = &blocks[mixed_block(op)];
	unsigned int at = mixed_page(worker, op);
	unsigned long area = (unsigned long)block->area + at * PAGE_SIZE;
	struct page *page = block->page + at;
	int error;

	switch (op % 4) {
	case 0:
		error = set_memory_ro(area, 1);
		look(worker, area, page, false, true);
		return error;
	case 1:
		error = set_memory_x(area, 1);
		look(worker, area, page, false, false);
		return error;
	case 2:
		error = set_memory_nx(area, 1);
		look(worker, area, page, false, true);
		return error;
	default:
		error = set_memory_rw(area, 1);
		look(worker, area, page, true, true);
		return error;
	}
}

static int change(struct worker *worker, unsigned int op)
{
	switch (order.load) {
	case TOGGLE:
		return toggle(worker, op);
	case SPLIT:
		return split(worker, op);
	default:
		return worker->index % 2 ? mix_attributes(worker, op) : mix_toggle(worker, op);
	}
}

static bool is_done(const struct worker *worker, unsigned int op)
{
	if (order.load == MIXED && worker->index % 2 == 0)
		return atomic_read(&run_odd) == 0 && !worker->toggled;
	return op == run_first + run_ops;
}

static int work(void *data)
{
	struct worker *worker = data;
	unsigned int op;
	u64 before, after;

	atomic_dec(&run_waiting);
	while (atomic_read(&run_waiting) > 0)
		cpu_relax();

	before = worker->begin = rdtsc_ordered();
	for (op = run_first; !is_done(worker, op); op++) {
		if (change(worker, op) != 0)
			worker->failed++;
		after = rdtsc_ordered();
		worker->histogram[bucket_of(after - before)]++;
		worker->sum += after - before;
		worker->max = max(worker->max, after - before);
		worker->ops++;
		if (after > run_deadline)
			break;
		if (op % 1024 == 1023) {
			cond_resched();
			after = rdtsc_ordered();
		}
		before = after;
	}
	worker->end = rdtsc_ordered();

	if (worker->index % 2)
		atomic_dec(&run_odd);
	if (atomic_dec_and_test(&run_working))
		complete(&run_done);
	return 0;
}

static int run(unsigned int first, unsigned int ops)
{
	struct task_struct **tasks;
	unsigned int i;

	tasks = kcalloc(order.threads, sizeof(*tasks), GFP_KERNEL);
	if (!tasks)
		return -ENOMEM;
	memset(workers, 0, array_size(order.threads, sizeof(*workers)));
	for (i = 0; i < order.threads; i++) {
		workers[i].index = i;
		tasks[i] = kthread_create(work, &workers[i], "bootstorm/%u", i);
		if (IS_ERR(tasks[i])) {
			int error = PTR_ERR(tasks[i]);

			while (i-- > 0)
				kthread_stop(tasks[i]);
			kfree(tasks);
			return error;
		}
		kthread_bind(tasks[i], cpumask_nth(i, cpu_online_mask));
	}
	run_first = first;
	run_ops = ops;
	run_deadline = rdtsc_ordered() + (u64)order.limit_ms * tsc_khz;
	atomic_set(&run_waiting, order.threads);
	atomic_set(&run_working, order.threads);
	atomic_set(&run_odd, order.threads / 2);
	reinit_completion(&run_done);
	for (i = 0; i < order.threads; i++)
		wake_up_process(tasks[i]);
	kfree(tasks);
	wait_for_completion(&run_done);
	return 0;
}

static bool is_large(const void *address)
{
	unsigned int level;

	return lookup_address((unsigned long)address, &level) && level == PG_LEVEL_2M;
}

static void free_block(struct block *block)
{
	unsigned long i;

	if (!block->page)
		return;
	for (i = 0; i < BLOCK_PAGES; i++)
		set_direct_map_default_noflush(block->page + i);
	if (block->area) {
		set_memory_nx((unsigned long)block->area, BLOCK_PAGES);
		set_memory_rw((unsigned long)block->area, BLOCK_PAGES);
		vfree(block->area);
	} else {
		__free_pages(block->page, BLOCK_ORDER);
	}
}

static void release(void)
{
	unsigned int i;

	for (i = 0; blocks && i < block_count; i++)
		free_block(&blocks[i]);
	kvfree(blocks);
	kvfree(workers);
	blocks = NULL;
	workers = NULL;
	prepared = measured = false;
}

/* Memory that vmalloc mapped by a large entry, as it does for modules and BPF programs. */
static int allocate_area(struct block *block)
{
	void *area = vmalloc_huge(PMD_SIZE, GFP_KERNEL);

	if (!area)
		return -ENOMEM;
	if (!is_large(area)) {
		vfree(area);
		return -ENOMEM;
	}
	block->area = area;
	block->page = vmalloc_to_page(area);
	return 0;
}

/*
 * What the kernel has split already is of no use to `split`; it is kept aside meanwhile, or it would
 * be found again.
 */
static int allocate_block(struct block *block)
{
	struct page *page, *aside = NULL;

	do {
		page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, BLOCK_ORDER);
		if (!page || order.load != SPLIT || is_large(page_address(page)))
			break;
		set_page_private(page, (unsigned long)aside);
		aside = page;
	} while (true);
	block->page = page;
	while (aside) {
		struct page *next = (struct page *)page_private(aside);

		set_page_private(aside, 0);
		__free_pages(aside, BLOCK_ORDER);
		aside = next;
	}
	return page ? 0 : -ENOMEM;
}

static int prepare(void)
{
	unsigned int i;
	int error = 0;

	block_count = order.load == SPLIT ? order.threads * (order.warm_up + order.ops) :
		      order.load == MIXED ? order.blocks : order.threads * order.blocks;
	blocks = kvcalloc(block_count, sizeof(*blocks), GFP_KERNEL);
	workers = kvcalloc(order.threads, sizeof(*workers), GFP_KERNEL);
	if (!blocks || !workers)
		return -ENOMEM;
	for (i = 0; i < block_count && !error; i++) {
		error = order.load == MIXED ? allocate_area(&blocks[i]) : allocate_block(&blocks[i]);
		/* To change one page splits the mapping. */
		if (!error && order.load == TOGGLE)
			error = set_direct_map_invalid_noflush(blocks[i].page) ?:
				set_direct_map_default_noflush(blocks[i].page);
	}
	/* In a block of `mixed` the first changes are those that matter. */
	return error || order.load == MIXED ? error : run(0, order.warm_up);
}

static u64 splits_so_far(void)
{
	unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return events[DIRECT_MAP_LEVEL2_SPLIT];
}

static int measure(void)
{
	u64 before = splits_so_far();
	int error = run(order.load == SPLIT ? order.warm_up : 0, order.ops);

	splits = splits_so_far() - before;
	measured = !error;
	return error;
}

static int parse(char *text)
{
	struct order asked = { .threads = 1, .ops = 20000, .warm_up = UINT_MAX, .limit_ms = 20000 };
	char *name = strsep(&text, " ");
	char *word;
	int load = match_string(load_names, ARRAY_SIZE(load_names), name);

	if (load < 0)
		return -EINVAL;
	asked.load = load;
	while ((word = strsep(&text, " "))) {
		if (sscanf(word, "threads=%u", &asked.threads) != 1 &&
		    sscanf(word, "ops=%u", &asked.ops) != 1 &&
		    sscanf(word, "warm_up=%u", &asked.warm_up) != 1 &&
		    sscanf(word, "blocks=%u", &asked.blocks) != 1 &&
		    sscanf(word, "shared=%u", &asked.shared) != 1 &&
		    sscanf(word, "limit_ms=%u", &asked.limit_ms) != 1 && *word)
			return -EINVAL;
	}
	if (asked.warm_up == UINT_MAX)
		asked.warm_up = asked.ops / 10;
	if (asked.blocks == 0)
		asked.blocks = asked.load == MIXED ? 16 : 1;
	if (asked.threads < 1 || asked.threads > num_online_cpus() || asked.ops < 1 ||
	    asked.ops > 100000000 || asked.warm_up > asked.ops || asked.blocks > 1024 ||
	    (asked.load == MIXED && asked.threads < 2) || asked.shared > 1 || (asked.shared && asked.load != TOGGLE) || asked.limit_ms > 600000)
		return -EINVAL;
	order = asked;
	return 0;
}

static ssize_t load_write(struct file *file, const char __user *from, size_t bytes, loff_t *at)
{
	char text[128];
	int error;

	if (bytes >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, bytes))
		return -EFAULT;
	text[bytes] = 0;

	mutex_lock(&mutex);
	if (strcmp(strim(text), "run") == 0) {
		error = prepared ? measure() : -EINVAL;
	} else {
		release();
		error = parse(strim(text)) ?: prepare();
		prepared = !error;
		if (error)
			release();
	}
	mutex_unlock(&mutex);
	return error ?: bytes;
}

static u64 percentile(unsigned int percent, u64 ops, u64 most)
{
	u64 rank = DIV_ROUND_UP_ULL(ops * percent, 100), seen = 0;
	unsigned int bucket, i;

	for (bucket = 0; bucket < BUCKETS; bucket++) {
		for (i = 0; i < order.threads; i++)
			seen += workers[i].histogram[bucket];
		if (seen >= rank)
			break;
	}
	return min(bucket_max(bucket), most);
}

static bool lock_is_unfair(void)
{
#ifdef CONFIG_PARAVIRT
	return static_branch_unlikely(&virt_spin_lock_key);
#else
	return false;
#endif
}

static void show_total(struct seq_file *to)
{
	u64 begin = U64_MAX, end = 0, ops = 0, failed = 0, sum = 0, most = 0;
	u64 wrong_entry = 0, wrong_access = 0;
	unsigned int i;

	for (i = 0; i < order.threads; i++) {
		begin = min(begin, workers[i].begin);
		end = max(end, workers[i].end);
		ops += workers[i].ops;
		failed += workers[i].failed;
		wrong_entry += workers[i].wrong_entry;
		wrong_access += workers[i].wrong_access;
		sum += workers[i].sum;
		most = max(most, workers[i].max);
	}
	seq_printf(to, "\"ops\":%llu,\"opsPerThread\":%u,\"opsFailed\":%llu,\"splits\":%llu,",
		   ops, order.ops, failed, splits);
	if (order.load == MIXED)
		seq_printf(to, "\"wrongEntries\":%llu,\"wrongAccesses\":%llu,",
			   wrong_entry, wrong_access);
	seq_printf(to, "\"elapsedCycles\":%llu,", end - begin);
	seq_printf(to, "\"latencyCycles\":{\"mean\":%llu,\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,\"max\":%llu},",
		   sum / ops, percentile(50, ops, most), percentile(90, ops, most),
		   percentile(99, ops, most), most);
	seq_puts(to, "\"perThread\":[");
	for (i = 0; i < order.threads; i++)
		seq_printf(to, "%s{\"ops\":%llu,\"beginCycles\":%llu,\"endCycles\":%llu}", i ? "," : "",
			   workers[i].ops, workers[i].begin - begin, workers[i].end - begin);
	seq_puts(to, "]}\n");
}

static int load_show(struct seq_file *to, void *unused)
{
	int error = 0;

	mutex_lock(&mutex);
	if (measured) {
		seq_printf(to, "{\"release\":\"%s\",\"cpus\":%u,\"hypervisor\":%s,\"spinlock\":\"%s\",",
			   utsname()->release, num_online_cpus(),
			   boot_cpu_has(X86_FEATURE_HYPERVISOR) ? "true" : "false",
			   lock_is_unfair() ? "test-and-set" : "queued");
		seq_printf(to, "\"debugPagealloc\":%s,\"tscKhz\":%u,",
			   debug_pagealloc_enabled() ? "true" : "false", tsc_khz);
		seq_printf(to, "\"load\":\"%s\",\"threads\":%u,\"blocks\":%u,\"shared\":%s,",
			   load_names[order.load], order.threads, block_count,
			   order.shared ? "true" : "false");
		show_total(to);
	} else {
		error = -ENODATA;
	}
	mutex_unlock(&mutex);
	return error;
}

static int load_open(struct inode *inode, struct file *file)
{
	return single_open(file, load_show, NULL);
}

static const struct proc_ops load_ops = {
	.proc_open = load_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = load_write,
};

static int __init load_init(void)
{
	return proc_create("bootstorm-load", 0600, NULL, &load_ops) ? 0 : -ENOMEM;
}
device_initcall(load_init);
