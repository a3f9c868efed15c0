# flow_bcc.py SECONDS : the consumer of flow.sh with bcc. It compiles against headers of the kernel: the running one's, or BCC_KERNEL_SOURCE.
import os, signal, subprocess, sys, time
from bcc import BPF

seconds = float(sys.argv[1])
producer = subprocess.Popen(["build/bench/flow_producer", sys.argv[1]], stdout=subprocess.PIPE, text=True)
pid = int(producer.stdout.readline())
os.kill(pid, signal.SIGSTOP) # until the program is compiled and attached
bpf = BPF(text="""
struct sample { u32 pid, cpu, kind, number; };
BPF_RINGBUF_OUTPUT(samples, 4096);
BPF_ARRAY(lost, u64, 1);
RAW_TRACEPOINT_PROBE(sys_enter) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    if (pid != %d) return 0;
    struct sample s = { pid, bpf_get_smp_processor_id(), 7, 0 };
    int zero = 0;
    if (samples.ringbuf_output(&s, sizeof(s), BPF_RB_NO_WAKEUP)) lost.atomic_increment(zero);
    return 0;
}
""" % pid)
os.sched_setaffinity(0, {1})
count = 0

def on_sample(ctx, data, size):
    global count
    sample = bpf["samples"].event(data)
    count += 1

bpf["samples"].open_ring_buffer(on_sample)
os.kill(pid, signal.SIGCONT)
start, cpu = time.time(), time.process_time()
while time.time() - start < seconds + 1:
    bpf.ring_buffer_consume()
    time.sleep(0.0002)
print(count, bpf["lost"][0].value, (time.process_time() - cpu) * 1e9 / max(count, 1))
