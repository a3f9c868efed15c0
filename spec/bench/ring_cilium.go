// ring_cilium.go [ROUNDS]: what ReadInto of cilium/ebpf costs for one 16-byte record, undecoded: the yardstick of ring_bench.lua, on the same object.
package main

import (
	"fmt"
	"os"
	"sort"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cpu() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	const size, perRun, rounds = 16 << 20, 512, 9
	runs := (size/24 - 1000) / perRun
	spec, err := ebpf.LoadCollectionSpec("build/spec/bpf/lua_records.bpf.o")
	must(err)
	spec.Maps["plain"].MaxEntries = size
	delete(spec.Maps, "events")
	delete(spec.Programs, "fill")
	delete(spec.Programs, "fill_short")
	delete(spec.Programs, "fill_long")
	delete(spec.Programs, "fill_nested")
	coll, err := ebpf.NewCollection(spec)
	must(err)
	must(coll.Maps[".data"].Put(uint32(0), []byte{perRun & 255, perRun >> 8, 0, 0}))
	reader, err := ringbuf.NewReader(coll.Maps["plain"])
	must(err)
	var times []float64
	var record ringbuf.Record
	for i := 0; i < rounds; i++ {
		_, _, err := coll.Programs["fill_plain"].Benchmark(make([]byte, 14), runs, nil)
		must(err)
		start := cpu()
		for n := 0; n < runs*perRun; n++ {
			must(reader.ReadInto(&record))
		}
		times = append(times, (cpu()-start)/float64(runs*perRun))
	}
	sort.Float64s(times)
	fmt.Printf("%-34s %8.1f %8.1f\n", "cilium/ebpf, ReadInto", times[rounds/2], times[0])
}
