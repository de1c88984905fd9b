/** What drivers print of a compute pipeline, cut short: Mesa 25.0.7, of kernels of this library. */

/** A tile of implicit GEMM on RDNA2: a loop of four turns inside one whose turns are not known. */
export const AMD_TILE = `#### NIR Shader(s)
shader: MESA_SHADER_COMPUTE
#### Assembly
BB12:
	s_bfm_b64 s[6:7], 32, 0                                     ; 928680a0
BB13:
	s_cmp_eq_i32 s1, 0                                          ; bf008001
	s_mov_b32 s12, src_scc                                      ; be8c03fd
	s_cmp_ge_u32 s7, s44                                        ; bf092c07
	s_or_b32 s12, src_scc, s12                                  ; 880c0cfd
	s_cbranch_scc1 BB24                                         ; bf850156
BB16:
	s_load_dwordx4 s[12:15], s[2:3], 0x70                       ; f4080301 fa000070
	v_mul_lo_u32 v4, v3, s6                                     ; d5690004 00000d03
	buffer_load_dwordx4 v[5:8], v4, s[12:15], 0 offen           ; e0381000 80030504
	s_waitcnt vmcnt(0)                                          ; bf8c3f70
	ds_write_b128 v9, v[5:8]                                    ; db7c0000 00000509
	s_barrier                                                   ; bf8a0000
BB17:
	v_lshl_add_u32 v5, s1, 6, v0                                ; d7460005 04010c01
	ds_read_b128 v[44:47], v5 offset:4096                       ; dbfc1000 2c000005
	s_add_u32 s1, s1, 1                                         ; 80018101
	v_fmac_f32_e32 v28, v48, v61                                ; 56387b30
	s_cmp_ge_u32 s1, 4                                          ; bf098401
	v_fmac_f32_e32 v29, v49, v61                                ; 563a7b31
	v_fmac_f32_e32 v30, v50, v61                                ; 563c7b32
	s_cbranch_scc1 BB21                                         ; bf850002
BB20:
	v_mov_b32_e32 v15, v7                                       ; 7e1e0307
	s_branch BB17                                               ; bf82ff54
BB21:
	s_barrier                                                   ; bf8a0000
	s_add_u32 s7, s7, 1                                         ; 80078107
	s_branch BB13                                               ; bf82fec5
BB24:
	s_endpgm                                                    ; bf810000
`;

/** Registers that were spilled, on GCN: before a loop, and inside it. */
export const AMD_SPILLS = `#### Assembly
BB0:
	s_add_u32 flat_scratch_lo, s0, s3                           ; 80660300
	scratch_store_dword off, v255, s0 offset:256                ; dc704100 0000ff80
BB1:
	s_cmp_ge_u32 s4, s5                                         ; bf090504
	s_cbranch_scc1 BB8                                          ; bf850216
BB4:
	scratch_load_dword v255, off, s0 offset:256                 ; dc504100 ff000000
	v_mac_f32_e32 v255, v1, v2                                  ; 2dfe0501
	scratch_store_dword off, v255, s0 offset:256                ; dc704100 0000ff80
	s_branch BB1                                                ; bf82fdf4
BB8:
	s_endpgm                                                    ; bf810000
`;

/** Halves in pairs, and two multiply-adds that are issued at once, as RDNA3 has them. */
export const AMD_PACKED = `#### Assembly
BB1:
	v_pk_fma_f16 v1, v2, v3, v1                                 ; cc0e4001 1c060702
	v_dual_fmac_f32 v4, v5, v6 :: v_dual_fmac_f32 v7, v8, v9    ; c8000d05 04061308
	v_fma_mix_f32 v10, v11, v12, v10 op_sel_hi:[1,1,0]          ; cc20000a 1c2a190b
	s_cbranch_scc0 BB1                                          ; bf84fffa
`;

/** The same tile on Xe-LP: spilled before the tile's products, and read back inside the outer loop. */
export const INTEL_TILE = `#### Final NIR
shader: MESA_SHADER_COMPUTE
#### GEN Assembly
send(16)        nullUD          g121UD          g1UD            0x020a03fd                0x00000080
                            data MsgDesc: (DC OWORD block write, bti 253, owords = 4, aligned = 0)  mlen 1 ex_mlen 2 rlen 0 { align1 1H $3 };

LABEL10:
mov(8)          g38<1>UD        0x00000000UD                    { align1 WE_all 1Q $3.src };
send(8)         g37UD           g38UD           nullUD          0x021802fd                0x00000000
                            data MsgDesc: (DC OWORD block read, bti 253, owords = 2, aligned = 0)  mlen 1 ex_mlen 0 rlen 1 { align1 WE_all 1Q };
sync nop(1)                     null<0,1,0>UB                   { align1 WE_all 1N $3.dst };
cmp.ge.f0.0(16) g12<1>UD        g113<8,8,1>UD   g37<0,1,0>UD    { align1 1H @6 compacted };
cmp.z.f0.0(16)  g14<1>D         g20<8,8,1>D     0D              { align1 1H $1.src compacted };
or.nz.f0.0(16)  null<1>UD       g12<8,8,1>UD    g14<8,8,1>UD    { align1 1H @1 };
(+f0.0) break(16) JIP:  LABEL8        UIP:  LABEL8              { align1 1H };
(+f0.0.any16h) sync bar(16)     null<0,1,0>UB                   { align1 WE_all 1H };

LABEL9:
send(16)        g1UD            g121UD          nullUD          0x048050fe                0x00000000
                            dp data 1 MsgDesc: (untyped surface read, Surface = 254, SIMD16, Mask = 0x0)  mlen 2 ex_mlen 0 rlen 8 { align1 1H $3 };
cmp.ge.f0.0(16) null<1>UD       g109<8,8,1>UD   0x00000004UD    { align1 1H @2 };
mad(16)         g123<1>F        g49<8,8,1>F     g33<8,8,1>F     g1<1,1,1>F { align1 1H $7.dst compacted };
mad(8)          g125<1>F        g123<8,8,1>F    g35<8,8,1>F     g9<1,1,1>F { align1 1Q @1 compacted };
mad(8)          g126<1>F        g124<8,8,1>F    g36<8,8,1>F     g10<1,1,1>F { align1 2Q @1 compacted };
(-f0.0) while(16) JIP:  LABEL9                                  { align1 1H };

LABEL8:
while(16)       JIP:  LABEL10                                   { align1 1H };
send(16)        nullUD          g126UD          nullUD          0x02000000                0x00000000
                            thread_spawner MsgDesc:  mlen 1 ex_mlen 0 rlen 0 { align1 WE_all 1H @1 EOT };
`;

/** Xe2, whose scratch messages name their surface in a register; constants and buffers are none of them. */
export const INTEL_XE2 = `#### GEN Assembly

LABEL1:
send(1)         g48UD           g50UD           nullUD          0x4220e500                a0.2<0>UD
                            ugm MsgDesc: ( load, a32, d32, V32, transpose, L1STATE_L3MOCS dst_len = 2, src0_len = 1, ss )  surface_state_index 0  { align1 WE_all 1N $0 };
send(1)         g36UD           g86UD           nullUD          0x6210d500                0x02000000
                            ugm MsgDesc: ( load, a32, d32, V16, transpose, L1STATE_L3MOCS dst_len = 1, src0_len = 1, src1_len = 0 bti )  BTI 2  base_offset 0  { align1 };
send(32)        nullUD          g31UD           g84UD           0x04003504                0x00000200
                            slm MsgDesc: ( store, a32, d32, V4, L1STATE_L3MOCS dst_len = 0, src0_len = 2, src1_len = 8 flat )  base_offset 0  { align1 I@1 $0 };
mad(32)         g20<1>F         g22<8,8,1>F     g24<8,8,1>F     g26<1,1,1>F { align1 };
while(32)       JIP:  LABEL1                                    { align1 };
`;

export const AMD_LINE =
  "PIPELINE 3 dawn_entry_point needs subgroup 64 | compute subgroup 64 | Driver pipeline hash=16623680566047892617; SGPRs=128; " +
  "VGPRs=64; Spilled SGPRs=0; Spilled VGPRs=0; Code size=2944; LDS size=8192; Scratch size=0; Subgroups per SIMD=16; " +
  "Hash=3581844138; Instructions=582; Copies=58; Pre-Sched VGPRs=59; VALU=346; SALU=140; VMEM=12; SMEM=17; VOPD=0;";

export const INTEL_LINE =
  "PIPELINE 1 dawn_entry_point needs subgroup 16 | compute subgroup 16 | Instruction Count=884; SEND Count=40; Loop Count=3; " +
  "Cycle Count=318602; Spill Count=12; Fill Count=44; Scratch Memory Size=1024; Max dispatch width=16; Max live registers=151; " +
  "Workgroup Memory Size=8192; Source hash=2922356818; Non SSA regs after NIR=641;";
