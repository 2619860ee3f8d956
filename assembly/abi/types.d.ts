// What tsc has to know of AssemblyScript's number types, so that abi/ compiles with both compilers.
declare type u8 = number;
declare type u16 = number;
declare type u32 = number;
declare type i32 = number;
declare type usize = number;
