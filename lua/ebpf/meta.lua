---@meta ebpf.meta
--- What an editor with a Lua language server is to know of the handles of this library: modules made by `ebpf gen` refer to these
--- classes. Nothing requires this file; put the folder of `lua/` (or of the installed module) into the editor's workspace library.

--- What went wrong in the world outside of the program; prints itself.
---@class ebpf.Error
---@field code string # "EPERM"
---@field errno integer
---@field message string
---@field hint? string # what to do
---@field log? string # the verifier's, or a compiler's

--- What can be closed, any number of times; also as a `<close>` variable.
---@class ebpf.Handle
---@field close fun(self: ebpf.Handle)

---@class ebpf.Map: ebpf.Handle
---@field name string
---@field type string
---@field key? string # its C type
---@field value? string
---@field key_size integer
---@field value_size integer
---@field max_entries integer
---@field get fun(self: ebpf.Map, key: any, flags?: string|integer): any, ebpf.Error?, integer?
---@field set fun(self: ebpf.Map, key: any, value: any, flags?: string|integer): true?, ebpf.Error?, integer?
---@field delete fun(self: ebpf.Map, key: any): boolean?, ebpf.Error?, integer?
---@field next fun(self: ebpf.Map, key?: any): any, ebpf.Error?, integer?
---@field pop fun(self: ebpf.Map, key?: any): any, ebpf.Error?, integer?
---@field push fun(self: ebpf.Map, value: any, flags?: string|integer): true?, ebpf.Error?, integer?
---@field entries fun(self: ebpf.Map): fun(): any, any
---@field view fun(self: ebpf.Map): table
---@field info fun(self: ebpf.Map): table?, ebpf.Error?, integer?
---@field freeze fun(self: ebpf.Map): true?, ebpf.Error?, integer?
---@field pin fun(self: ebpf.Map, path: string): true?, ebpf.Error?, integer?
---@field unpin fun(self: ebpf.Map): true?, ebpf.Error?, integer?
---@field fd fun(self: ebpf.Map): integer

---@class ebpf.Program: ebpf.Handle
---@field name string
---@field type string
---@field attach_type? string
---@field section? string
---@field attach_to? string
---@field log? string # the verifier's, when it was loaded with a log level
---@field run fun(self: ebpf.Program, options?: ebpf.RunOptions): ebpf.RunResult?, ebpf.Error?, integer?
---@field info fun(self: ebpf.Program): table?, ebpf.Error?, integer?
---@field pin fun(self: ebpf.Program, path: string): true?, ebpf.Error?, integer?
---@field unpin fun(self: ebpf.Program): true?, ebpf.Error?, integer?
---@field fd fun(self: ebpf.Program): integer

---@class ebpf.RunOptions
---@field data? string
---@field context? string
---@field repeat? integer

---@class ebpf.RunResult
---@field retval integer
---@field duration integer # nanoseconds of one run
---@field data? string
---@field context? string

---@class ebpf.Link: ebpf.Handle
---@field kind string
---@field interface string
---@field target string
---@field program ebpf.Program
---@field detach fun(self: ebpf.Link): true?, ebpf.Error?, integer?
---@field update fun(self: ebpf.Link, program: ebpf.Program): true?, ebpf.Error?, integer?
---@field info fun(self: ebpf.Link): table?, ebpf.Error?, integer?
---@field pin fun(self: ebpf.Link, path: string): true?, ebpf.Error?, integer?
---@field unpin fun(self: ebpf.Link): true?, ebpf.Error?, integer?
---@field fd fun(self: ebpf.Link): integer

---@class ebpf.Variable
---@field name string
---@field type? string
---@field size integer
---@field read_only boolean
---@field get fun(self: ebpf.Variable): any, ebpf.Error?, integer?
---@field set fun(self: ebpf.Variable, value: any): true?, ebpf.Error?, integer?

---@class ebpf.Failure
---@field program string
---@field error ebpf.Error

---@class ebpf.Collection: ebpf.Handle
---@field maps table<string, ebpf.Map>
---@field programs table<string, ebpf.Program>
---@field variables table<string, ebpf.Variable>
---@field links ebpf.Link[]
---@field attach fun(self: ebpf.Collection, options?: table): ebpf.Link[]?, ebpf.Failure[]|ebpf.Error, integer?, ebpf.Failure[]?

---@class ebpf.MapSpec
---@field name string
---@field type string
---@field key_size integer
---@field value_size integer
---@field max_entries integer
---@field flags integer
---@field numa_node integer
---@field map_extra integer
---@field pin_by_name boolean
---@field autocreate boolean
---@field frozen boolean
---@field section? string
---@field key? string
---@field value? string
---@field data? string
---@field inner? ebpf.MapSpec

---@class ebpf.ProgramSpec
---@field name string
---@field section string
---@field type string
---@field attach_type? string
---@field attach_to? string
---@field attach_target ebpf.Program|integer
---@field flags integer
---@field autoload boolean
---@field autoattach boolean
---@field log_level integer
---@field instructions integer
---@field license? string

---@class ebpf.Spec: ebpf.Handle
---@field name string
---@field license string
---@field byteorder "little"|"big"
---@field maps table<string, ebpf.MapSpec>
---@field programs table<string, ebpf.ProgramSpec>
---@field variables table<string, ebpf.Variable>
---@field load fun(self: ebpf.Spec, options?: ebpf.LoadOptions): ebpf.Collection?, ebpf.Error?, integer?

---@class ebpf.LoadOptions
---@field variables? table<string, any> # set before loading
---@field programs? string[] # load these and no others
---@field maps? table<string, ebpf.Map> # use these instead of making them
---@field pin_dir? string
---@field btf? string # a file with the target's types
---@field kconfig? string # text of a .config
---@field log_level? integer

--- A reader of a ring buffer.
---@class ebpf.Ring: ebpf.Handle
---@field map ebpf.Map
---@field records fun(self: ebpf.Ring, options?: table): fun(): any
---@field consume fun(self: ebpf.Ring, fn: function, limit?: integer): integer?, ebpf.Error?, integer?
---@field poll fun(self: ebpf.Ring, timeout?: number): boolean?, ebpf.Error?, integer?
---@field available fun(self: ebpf.Ring): integer
---@field fd fun(self: ebpf.Ring): integer

---@class ebpf.Source: ebpf.Handle

---@class ebpf.Loop: ebpf.Handle
---@field on fun(self: ebpf.Loop, map: ebpf.Map, fn: fun(record: any), options?: table): ebpf.Source?, ebpf.Error?, integer?
---@field every fun(self: ebpf.Loop, seconds: number, fn: function): ebpf.Source?, ebpf.Error?, integer?
---@field after fun(self: ebpf.Loop, seconds: number, fn: function): ebpf.Source?, ebpf.Error?, integer?
---@field signal fun(self: ebpf.Loop, name: string|integer, fn: function): ebpf.Source?, ebpf.Error?, integer?
---@field run fun(self: ebpf.Loop): true?, ebpf.Error?, integer?
---@field step fun(self: ebpf.Loop, timeout?: number): integer?, ebpf.Error?, integer?
---@field stop fun(self: ebpf.Loop)

--- One place of a probe that a program or library was built with.
---@class ebpf.UsdtProbe
---@field provider string
---@field name string
---@field arguments string # as the assembler left them: "-4@%eax 8@-16(%rbp)"
---@field address integer # in the file's own addresses
---@field offset integer # in the file
---@field semaphore integer? # offset in the file of the counter of those who trace

--- `require "ebpf"`.
---@class ebpf
---@field version string
---@field spec fun(source: string|table): ebpf.Spec?, ebpf.Error?, integer?
---@field load fun(source: string|table|ebpf.Spec, options?: ebpf.LoadOptions): ebpf.Collection?, ebpf.Error?, integer?
---@field map fun(options: table): ebpf.Map?, ebpf.Error?, integer?
---@field program fun(options: table): ebpf.Program?, ebpf.Error?, integer?
---@field ringbuf fun(map: ebpf.Map, options?: table): ebpf.Ring?, ebpf.Error?, integer?
---@field loop fun(): ebpf.Loop
---@field usdt fun(path: string, options?: { provider?: string, name?: string }): ebpf.UsdtProbe[]?, ebpf.Error?, integer?
---@field link table<string, function> # ebpf.link.KIND(program, ..., options): ebpf.Link?, ebpf.Error?, integer?
