// Calls a lock by the kernel's name for it. Kernels built without names for their data
// (CONFIG_KALLSYMS_ALL) leave only the address; then the functions that wait for a lock tell
// which one it is, because few locks are taken in each function.
import type { Trace } from "../event/schema.ts";
import { takerOfEachStack } from "./callers.ts";
import type { LockName } from "./result.ts";

interface Rule {
  readonly name: string;
  /** The function that takes the lock: the first of the stack outside the locking code. */
  readonly taker: RegExp;
  /** True for a lock that exists once, in the kernel's own data. */
  readonly static?: true;
}

/**
 * First match wins. Above each line the file of Linux v6.12 that takes the lock; compilers inline
 * many static functions into their callers, so both are listed.
 */
const RULES: readonly Rule[] = [
  // pgd_lock before cpa_lock: both are taken below change_page_attr, but only pgd_lock in these.
  // arch/x86/mm/pgtable.c pgd_alloc, pgd_dtor; arch/x86/mm/init_64.c sync_global_pgds;
  // arch/x86/mm/pat/set_memory.c collapse_large_pages (6.15)
  {
    name: "pgd_lock",
    taker:
      /^(pgd_(alloc|ctor|dtor|free)|_pgd_(alloc|free)|sync_global_pgds\w*|collapse_large_pages|__split_large_page|should_split_large_page|__should_split_large_page|arch_sync_kernel_mappings)$/,
    static: true,
  },
  // arch/x86/mm/pat/set_memory.c __change_page_attr_set_clr, split_large_page
  {
    name: "cpa_lock",
    taker: /^(__change_page_attr(_set_clr)?|change_page_attr_set_clr|split_large_page)$/,
    static: true,
  },
  // mm/vmalloc.c _vm_unmap_aliases
  {
    name: "vmap_purge_lock",
    taker: /^(_?_?vm_unmap_aliases|purge_vmap_area_lazy|__purge_vmap_area_lazy)$/,
    static: true,
  },
  // drivers/crypto/ccp/sev-dev.c
  {
    name: "sev_cmd_mutex",
    taker: /^(sev_do_cmd|__?sev_do_cmd\w*|snp_\w+_locked|sev_ioctl)$/,
    static: true,
  },
  // arch/x86/kvm/svm/sev.c
  {
    name: "sev_deactivate_lock",
    taker: /^sev_(unbind_asid|asid_free|flush_asids)\w*$/,
    static: true,
  },
  // kernel/fork.c, kernel/exit.c
  {
    name: "tasklist_lock",
    taker:
      /^(copy_process|release_task|exit_notify|do_wait|wait_consider_task|forget_original_parent|ptrace_\w+|setpriority|do_exit)$/,
    static: true,
  },
  // kernel/time/tick-sched.c
  { name: "jiffies_lock", taker: /^tick_do_update_jiffies64$/, static: true },
  // fs/fs-writeback.c
  {
    name: "wb->list_lock",
    taker:
      /^(locked_inode_to_wb_and_lock_list|inode_to_wb_and_lock_list|wb_\w+|writeback_\w+|__mark_inode_dirty)$/,
  },
  // fs/inode.c
  { name: "s_inode_list_lock", taker: /^(new_inode|inode_sb_list_\w+|evict|evict_inodes)$/ },
  // mm/secretmem.c secretmem_fault; mm/filemap.c
  {
    name: "invalidate_lock of a file",
    taker: /^(secretmem_fault|filemap_fault|truncate_\w+|page_cache_ra_\w+|kvm_gmem_\w+)$/,
  },
  // mm/mmap_lock.c, mm/memory.c lock_mm_and_find_vma, mm/mmap.c, mm/madvise.c, kernel/fork.c dup_mm
  {
    name: "mmap_lock",
    taker:
      /^(lock_mm_and_find_vma|do_user_addr_fault|vm_mmap_pgoff|__vm_munmap|__do_sys_(munmap|mprotect|mremap|brk)|__x64_sys_(munmap|mprotect|brk|mremap)|do_mprotect_pkey|do_madvise|madvise_\w+|exit_mmap|dup_mm\w*|dup_mmap|__mm_populate|populate_vma_page_range|mmap_(read|write)_lock\w*|get_user_pages_unlocked|gup_\w+|acct_collect|ksys_mmap_pgoff)$/,
  },
  // mm/page_alloc.c
  {
    name: "zone->lock",
    taker:
      /^(rmqueue\w*|__rmqueue\w*|free_pcppages_bulk|free_one_page|__free_one_page|get_page_from_freelist|free_unref_\w+|__free_pages_ok|__alloc_pages\w*|alloc_pages_bulk\w*|drain_pages_zone|decay_pcp_high|free_frozen_page_commit|__free_frozen_pages|__alloc_frozen_pages\w*|page_reporting_\w+|unreserve_highatomic\w*)$/,
  },
  // mm/swap.c, mm/vmscan.c
  {
    name: "lruvec->lru_lock",
    taker:
      /^(folio_lruvec_lock\w*|folio_batch_move_lru|lru_\w+|__page_cache_release|release_pages|folios_put_refs|mlock_\w+|__munlock_folio|shrink_\w+|isolate_\w+|move_folios_to_lru)$/,
  },
  // mm/filemap.c, mm/truncate.c: the page cache's xarray
  {
    name: "i_pages of a file",
    taker:
      /^(__?filemap_(add|remove)_\w+|__remove_mapping|delete_from_page_cache_batch|replace_page_cache_folio|filemap_remove_folio|shmem_add_to_page_cache|find_lock_entries)$/,
  },
  // mm/memory.c, mm/pgtable-generic.c: one lock a page table
  {
    name: "page-table lock",
    taker:
      /^(__pte_offset_map_lock|pte_offset_map_\w*lock|do_(anonymous_page|fault|wp_page|swap_page|numa_page)|handle_(pte|mm)_fault|__handle_mm_fault|finish_fault|zap_\w+|unmap_page_range|copy_p[mt]e?_?\w*_range|copy_page_range|set_pte_range|move_page_tables|change_protection\w*|pmd_lock\w*|__p[mu]d_alloc|__pte_alloc\w*|wp_page_\w+)$/,
  },
  // kernel/sched/core.c: the run queue of a CPU
  {
    name: "rq->lock",
    taker:
      /^(__schedule|schedule|try_to_wake_up|ttwu_\w+|wake_up_new_task|sched_balance_\w+|load_balance|newidle_balance|scheduler_tick|sched_tick|resched_\w+|task_rq_lock|__task_rq_lock|double_rq_lock|_?raw_?spin_rq_\w+|update_blocked_averages|sched_ttwu_pending|__set_cpus_allowed_ptr|sched_exec|sched_move_task|push_\w+_task|pull_\w+_task|rto_push\w*|do_sched_yield|migration_cpu_stop|affine_move_task|active_load_balance_cpu_stop|__balance_push_cpu_stop|idle_balance|detach_\w+|attach_\w+|sched_change_\w+|sched_fork|wake_up_q|select_task_rq_\w+)$/,
  },
  // kernel/futex/
  { name: "futex hash bucket", taker: /^(futex_\w+|__futex_\w+|do_futex)$/ },
  // fs/pipe.c, fs/file.c, fs/eventpoll.c, fs/inode.c
  { name: "pipe->mutex", taker: /^(pipe_\w+|anon_pipe_\w+)$/ },
  { name: "file->f_pos_lock", taker: /^(fdget_pos|__fdget_pos|__f_lock_pos)$/ },
  { name: "eventpoll lock", taker: /^(ep_\w+|do_epoll_\w+|eventpoll_\w+)$/ },
  {
    name: "wait queue",
    taker:
      /^(__wake_up\w*|add_wait_queue\w*|remove_wait_queue|prepare_to_wait\w*|finish_wait|wait_woken|swake_\w+|complete\w*|__wait_for_common|wait_for_completion\w*)$/,
  },
  {
    name: "files->file_lock",
    taker:
      /^(alloc_fd|close_fd|file_close_fd\w*|fd_install|do_dup2|pick_file|dup_fd|__close_range)$/,
  },
  {
    name: "inode lock",
    taker:
      /^(inode_lock\w*|path_openat|open_last_lookups|do_unlinkat|filename_create|lookup_slow|iterate_dir|ext4_buffered_write_iter|generic_file_write_iter|vfs_\w+)$/,
  },
  {
    name: "dentry lock",
    taker:
      /^(d_\w+|__d_\w+|dput|dget_parent|shrink_dentry_list|__dentry_kill|lock_for_kill|dcache_\w+)$/,
  },
  {
    name: "sighand->siglock",
    taker:
      /^(__lock_task_sighand|lock_task_sighand|get_signal|do_send_sig_info|__set_current_blocked|set_current_blocked|sigprocmask|do_sigaction|signal_\w+|__send_signal\w*|do_notify_parent\w*|calc_load\w*|do_task_stat|do_sigtimedwait\w*)$/,
  },
  { name: "hrtimer base", taker: /^(hrtimer_\w+|__hrtimer_\w+|lock_hrtimer_base\w*)$/ },
  {
    name: "timer base",
    taker:
      /^((__)?mod_timer\w*|timer_\w+|__timer_\w+|try_to_del_timer_sync|lock_timer_base|run_timer_\w+|__run_timer\w*|add_timer\w*|get_next_timer_interrupt|fetch_next_timer_interrupt\w*|tmigr_\w+)$/,
  },
  {
    name: "workqueue pool lock",
    taker:
      /^(__queue_work|queue_work_on|worker_thread|process_one_work|flush_work\w*|start_flush_work|mod_delayed_work\w*|try_to_grab_pending|__flush_workqueue|idle_worker_timeout)$/,
  },
  {
    name: "rcu_node lock",
    taker: /^(rcu_\w+|__note_gp_changes|note_gp_changes|force_qs_rnp|sync_rcu_\w+|__rcu_\w+)$/,
  },
  { name: "kernfs lock", taker: /^kernfs_\w+$/ },
  { name: "cgroup lock", taker: /^(cgroup_\w+|css_\w+|cpuset_\w+|memcg_\w+|mod_memcg_\w+)$/ },
  {
    name: "slab node lock",
    taker:
      /^(get_partial_node\w*|__slab_free|put_cpu_partial|__unfreeze_partials|__put_partials|free_to_partial_list|___slab_alloc|deactivate_slab|refill_objects|__refill_objects\w*|kmem_cache_\w+|__pcs_\w+|barn_\w+)$/,
  },
  // arch/x86/kernel/kvm.c and kernel/smp.c have none of their own; virtio and network queues
  {
    name: "socket or network queue",
    taker:
      /^(sock_\w+|lock_sock\w*|release_sock|tcp_\w+|__tcp_\w+|unix_\w+|netif_\w+|__dev_\w+|__netif_\w+|napi_\w+|dev_\w+|sch_\w+|vsock_\w+|virtio_transport_\w+|skb_\w+)$/,
  },
  {
    name: "virtqueue",
    taker: /^(virtqueue_\w+|virtio_\w+|virtblk_\w+|vring_\w+|vm_interrupt|vp_\w+|vm_notify)$/,
  },
  {
    name: "ext4 or journal lock",
    taker: /^(ext4_\w+|jbd2_\w+|__jbd2_\w+|start_this_handle|add_transaction_credits)$/,
  },
];

/** The kernel's image and its modules lie above; memory it allocates lies below. */
const IMAGE_START = 0xffffffff80000000n;
const PGD_LOCK = RULES.findIndex(({ name }) => name === "pgd_lock");

/**
 * Names every lock of a trace.
 * @returns one name a lock, by lock index. Where the callers of a lock that exists only once fit
 *   several addresses, the one that is waited for most has the name, the others keep their address
 */
export function nameLocks(trace: Trace): LockName[] {
  const { locks, strings } = trace;
  const best = bestRules(trace);
  return Array.from(locks.addresses, (value, lock): LockName => {
    const address = addressText(value);
    const symbol = locks.symbols[lock]!;
    if (symbol !== -1) return { name: strings[symbol]!, address, evidence: "symbol" };
    const rule = RULES[best[lock]!];
    return rule === undefined
      ? { name: address, address, evidence: "none" }
      : { name: rule.name, address, evidence: "caller" };
  });
}

/**
 * Names the locks of a trace by what another recording of the same host knows: one with call stacks
 * knows more, one without has truer times.
 */
export function nameLocksBy(witness: Trace, trace: Trace): LockName[] {
  const known = new Map(nameLocks(witness).map((name) => [name.address, name]));
  return nameLocks(trace).map((name) => known.get(name.address) ?? name);
}

/** @returns for each lock the number of the rule that names it, or -1 */
function bestRules(trace: Trace): Int32Array {
  const { locks, strings } = trace;
  const votes = takerVotes(trace);
  const ruleOfString = strings.map((name) => {
    // Compilers split functions and mark the parts: hrtimer_try_to_cancel.part.0
    const whole = name.replace(/\..*$/, "");
    return RULES.findIndex(({ taker }) => taker.test(whole));
  });
  const waits = new Float64Array(locks.addresses.length);
  const best = new Int32Array(locks.addresses.length).fill(-1);
  votes.forEach((takers, lock) => {
    const count = new Float64Array(RULES.length);
    for (const [taker, ofTaker] of takers) {
      waits[lock]! += ofTaker;
      const rule = ruleOfString[taker]!;
      const fits = RULES[rule]?.static !== true || locks.addresses[lock]! >= IMAGE_START;
      if (rule !== -1 && fits) count[rule]! += ofTaker;
    }
    best[lock] = ruleOf(count, waits[lock]!);
  });
  RULES.forEach((rule, index) => {
    if (rule.static) keepOnlyMostWaited(best, index, waits);
  });
  return best;
}

/** The rule that most of a lock's waits fit; for pgd_lock one wait is proof, since no other fits. */
function ruleOf(count: Float64Array, waits: number): number {
  if (count[PGD_LOCK]! > 0) return PGD_LOCK;
  let top = 0;
  for (let rule = 1; rule < count.length; rule += 1) if (count[rule]! > count[top]!) top = rule;
  return count[top]! * 2 > waits ? top : -1;
}

function keepOnlyMostWaited(best: Int32Array, rule: number, waits: Float64Array): void {
  let top = -1;
  best.forEach((ofLock, lock) => {
    if (ofLock === rule && (top === -1 || waits[lock]! > waits[top]!)) top = lock;
  });
  best.forEach((ofLock, lock) => {
    if (ofLock === rule && lock !== top) best[lock] = -1;
  });
}

/** For each lock, how many of its waits came from each taker. */
function takerVotes(trace: Trace): Map<number, number>[] {
  const { lock, stack, length } = trace.tables.lockWait;
  const takers = takerOfEachStack(trace);
  const votes = Array.from(trace.locks.addresses, () => new Map<number, number>());
  for (let i = 0; i < length; i += 1) {
    const taker = stack[i] === -1 ? -1 : takers[stack[i]!]!;
    if (taker === -1) continue;
    const ofLock = votes[lock[i]!]!;
    ofLock.set(taker, (ofLock.get(taker) ?? 0) + 1);
  }
  return votes;
}

/** An address as people write it, 16 digits. */
export function addressText(address: bigint): string {
  return `0x${address.toString(16).padStart(16, "0")}`;
}
