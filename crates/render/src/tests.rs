use crate::{Frame, NullRenderer, Pose, RenderError, Renderer, check_size};

#[test]
fn sizes_must_be_even_and_neither_tiny_nor_huge() {
    for (width, height) in [(64, 64), (512, 512), (1920, 64), (1080, 1920)] {
        assert!(check_size(width, height).is_ok(), "{width}x{height}");
    }
    for (width, height) in [(63, 64), (513, 512), (512, 511), (62, 512), (1922, 512), (0, 0), (u32::MAX, 512)] {
        assert!(matches!(check_size(width, height), Err(RenderError::Size { .. })), "{width}x{height}");
    }
}

#[test]
fn a_black_frame_is_black_in_limited_range() {
    let frame = Frame::black(66, 64);
    assert_eq!(frame.data().len(), 66 * 64 * 3 / 2);
    assert!(frame.y().iter().all(|&y| y == 16));
    assert!(frame.u().iter().chain(frame.v()).all(|&c| c == 128));
}

#[test]
fn pixels_come_back_in_srgb_by_bt_709() {
    // Colour bars at full amplitude in limited range, from the matrix of ITU-R BT.709.
    let bars = [([16, 128, 128], [0, 0, 0]), ([235, 128, 128], [255, 255, 255]), ([63, 102, 240], [255, 0, 0])];
    for (planes, wanted) in bars {
        let mut frame = Frame::black(2, 2);
        for (plane, value) in frame.planes_mut().into_iter().zip(planes) {
            plane.fill(value);
        }
        for (found, wanted) in frame.rgb(1, 1).into_iter().zip(wanted) {
            assert!(i32::from(found).abs_diff(wanted) <= 1, "{planes:?} gives {:?}", frame.rgb(1, 1));
        }
    }
}

#[test]
fn null_renderer_leaves_the_frame_as_it_is_but_checks_its_size() {
    let mut renderer = NullRenderer::new(128, 64).expect("a size in range");
    let mut frame = Frame::black(128, 64);
    frame.data_mut().fill(77);
    renderer.render(&Pose::NEUTRAL, &mut frame).expect("a frame of the right size");
    assert!(frame.data().iter().all(|&byte| byte == 77));
    let error = renderer.render(&Pose::NEUTRAL, &mut Frame::black(64, 64)).expect_err("a frame of another size");
    assert_eq!(error.to_string(), "frame is 64x64, renderer makes 128x64");
}

mod life {
    use crate::life::{GROUP_FRAMES, LOOP_SECONDS, compose, life_at, life_at_frame, loop_frames};
    use crate::{HeadPose, Pose};
    use footlight_avatar::Weights;
    use footlight_avatar::face::shapes::{JAW_OPEN, index_of};

    const BLINK: usize = index_of("eyeBlinkLeft");

    #[test]
    fn loops_are_whole_groups_near_eight_seconds() {
        for fps in [20, 24, 25, 30, 50, 60] {
            let frames = loop_frames(fps);
            assert!(frames.is_multiple_of(GROUP_FRAMES), "{fps} fps");
            let seconds = f64::from(frames) / f64::from(fps);
            assert!((seconds - LOOP_SECONDS).abs() < 0.31, "{fps} fps: {seconds} s");
        }
    }

    #[test]
    fn loops_close_without_a_jump_and_differ_by_seed() {
        for seed in 0..50 {
            assert_eq!(life_at_frame(seed, 3, 25), life_at_frame(seed, 3 + u64::from(loop_frames(25)), 25));
            let (end, start) = (life_at(seed, 1.0 - 1e-6), life_at(seed, 0.0));
            let moved = largest_step(&end, &start);
            assert!(moved < 1e-3, "seed {seed} jumps by {moved}");
        }
        assert_ne!(life_at(1, 0.3), life_at(2, 0.3));
    }

    #[test]
    fn heads_stay_within_two_degrees_and_four_pixels_and_never_jerk() {
        for seed in 0..50 {
            let mut last = life_at_frame(seed, 0, 25).head;
            for frame in 1..u64::from(loop_frames(25)) {
                let HeadPose { yaw, pitch, roll, x, y } = life_at_frame(seed, frame, 25).head;
                assert!([yaw, pitch, roll].iter().all(|angle| angle.abs() <= 2.0_f32.to_radians()));
                assert!(x.abs() <= 4.0 && y.abs() <= 4.0);
                assert!((x - last.x).abs() < 0.5 && (y - last.y).abs() < 0.5, "seed {seed} frame {frame}");
                last = HeadPose { yaw, pitch, roll, x, y };
            }
        }
    }

    #[test]
    fn eyes_blink_about_every_three_seconds_and_close_fully() {
        let fps = 50;
        for seed in 0..50 {
            let lids: Vec<f32> = (0..u64::from(loop_frames(fps)))
                .map(|frame| life_at_frame(seed, frame, fps).weights.0[BLINK])
                .collect();
            let blinks = lids.windows(2).filter(|pair| pair[0] < 0.5 && pair[1] >= 0.5).count();
            assert_eq!(blinks, 3, "seed {seed}");
            assert!(lids.iter().copied().fold(0.0, f32::max) > 0.9, "seed {seed} never closes its eyes");
            let open = lids.iter().filter(|&&lid| lid < 0.05).count();
            assert!(open * 10 > lids.len() * 8, "seed {seed} is half asleep");
        }
    }

    #[test]
    fn speech_moves_the_mouth_and_the_head_gives_a_little() {
        let life = Pose { head: HeadPose { yaw: 0.01, ..HeadPose::default() }, ..life_at(7, 0.5) };
        assert_eq!(compose(&life, &Weights::NEUTRAL), life, "silence changes nothing");
        let mut speech = Weights::NEUTRAL;
        speech.0[JAW_OPEN] = 0.6;
        let pose = compose(&life, &speech);
        assert_eq!(pose.weights.0[BLINK].to_bits(), life.weights.0[BLINK].to_bits());
        assert_eq!(pose.weights.0[JAW_OPEN].to_bits(), 0.6_f32.to_bits());
        let (x, y) = (pose.head.x - life.head.x, pose.head.y - life.head.y);
        assert!(y < 0.0 && y > -1.0 && x.abs() < 1e-6, "the head moves by {x}, {y}");
    }

    fn largest_step(one: &Pose, other: &Pose) -> f32 {
        let weights = one.weights.0.iter().zip(other.weights.0).map(|(a, b)| (a - b).abs());
        let (a, b) = (one.head, other.head);
        let head = [a.yaw - b.yaw, a.pitch - b.pitch, a.roll - b.roll, a.x - b.x, a.y - b.y].map(f32::abs);
        weights.chain(head).fold(0.0, f32::max)
    }
}
