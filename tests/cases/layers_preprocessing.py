"""Preprocessing cases: hashes, pictures and sounds. Random layers get ranges of one number."""

from .spec import ArrayInput as X
from .spec import LayerCase as Case

PICTURES = (X((2, 8, 10, 3), low=0.0, high=255.0),)
PICTURE = (X((1, 8, 10, 3), low=0.0, high=255.0),)
PICTURES_FIRST = (X((2, 3, 6, 7), low=0.0, high=255.0),)
UNIT_PICTURES = (X((2, 6, 7, 3), low=0.0, high=1.0),)
BYTES = (X((1, 9, 7, 1), dtype="uint8", low=0, high=255),)
DARK = (X((2, 6, 7, 3), low=20.0, high=90.0),)
SOUNDS = (X((2, 400)),)
TRACKS = (X((2, 200, 2)),)
WORDS = (X(values=[["apple"], ["a much longer word, with ünïcode"], [""], ["Z"]], dtype="str"),)
LONG_WORDS = (X(values=["x" * n for n in (3, 4, 8, 17, 33, 64, 65, 128, 200)], dtype="str"),)
NUMBERS = (X(values=[[0, 7], [-3, 123456789]], dtype="int64"),)
CROSSED = (
    X(values=["A", "B", "A", "B", "A"], dtype="str"),
    X(values=[101, 101, 101, 102, -7], dtype="int64"),
)
COLUMNS = (
    X(values=[[5], [6]], dtype="int64"),
    X(values=[["p"], ["q"]], dtype="str"),
    X(values=[[1], [1]], dtype="int64"),
)
# More than 32 bits.
WIDE_NUMBERS = (X(values=[2**40, 7, -(2**33) - 5], dtype="int64"),)
WIDE_CROSSED = (
    X(values=[2**33 + 5, 7], dtype="int64"),
    X(values=["A", "B"], dtype="str"),
)
# Letters and white space beyond ASCII are no business of 'lower' and 'whitespace'.
TEXTS = (
    X(
        values=["ÄÖÜ Straße A\u3000b", "äöü a\x0bb\tB\x0cA\u00a0b", "İ don't [stop]\x1c-now"],
        dtype="str",
    ),
)
TEXT_TOKENS = ["a", "b", "äöü", "ÄÖÜ", "straße", "a\u3000b", "a\u00a0b", "stop\x1cnow", "dont", "İ"]
TRAINING = {"training": True}

HASHES = (
    Case("hashing_words", "Hashing", WORDS, {"num_bins": 1000}),
    Case("hashing_long_words", "Hashing", LONG_WORDS, {"num_bins": 1_000_003}),
    Case("hashing_ints", "Hashing", NUMBERS, {"num_bins": 1000}),
    Case("hashing_mask", "Hashing", WORDS, {"num_bins": 50, "mask_value": ""}),
    Case("hashing_int_mask", "Hashing", NUMBERS, {"num_bins": 50, "mask_value": 7}),
    Case("hashing_salt", "Hashing", WORDS, {"num_bins": 1000, "salt": 133}),
    Case("hashing_two_salts", "Hashing", LONG_WORDS, {"num_bins": 1000, "salt": [133, 137]}),
    Case("hashing_one_hot", "Hashing", WORDS, {"num_bins": 5, "output_mode": "one_hot"}),
    Case("hashing_multi_hot", "Hashing", NUMBERS, {"num_bins": 5, "output_mode": "multi_hot"}),
    Case("hashing_count", "Hashing", NUMBERS, {"num_bins": 2, "output_mode": "count"}),
    Case("crossing", "HashedCrossing", CROSSED, {"num_bins": 1_000_003}, call_style="list"),
    Case("crossing_three", "HashedCrossing", COLUMNS, {"num_bins": 97}, call_style="list"),
    Case(
        "crossing_one_hot",
        "HashedCrossing",
        CROSSED,
        {"num_bins": 5, "output_mode": "one_hot"},
        call_style="list",
    ),
)

LOOKUPS = (
    Case("hashing_wide_ints", "Hashing", WIDE_NUMBERS, {"num_bins": 1000}),
    Case("crossing_wide_ints", "HashedCrossing", WIDE_CROSSED, {"num_bins": 1000},
         call_style="list"),
    Case("text_beyond_ascii", "TextVectorization", TEXTS,
         {"vocabulary": TEXT_TOKENS, "output_sequence_length": 5}),
    Case("text_pairs", "TextVectorization", TEXTS,
         {"vocabulary": ["dont stop\x1cnow", "a b", "b a", "äöü"], "ngrams": 2,
          "output_mode": "count"}),
)  # fmt: skip

VALUES = (
    Case("auto_contrast", "AutoContrast", DARK, tolerance=1e-4),
    Case("auto_contrast_unit", "AutoContrast", UNIT_PICTURES, {"value_range": (0, 1)}),
    Case("equalization", "Equalization", PICTURE, call_kwargs=TRAINING, tolerance=1e-4),
    Case("equalization_bins", "Equalization", PICTURE, {"bins": 16}, call_kwargs=TRAINING),
    Case("equalization_inference", "Equalization", PICTURE, call_kwargs={"training": False}),
    Case(
        "clahe",
        "ContrastLimitedAdaptiveHistogramEqualization",
        PICTURES,
        {"tile_grid_size": (2, 2)},
        tolerance=1e-3,
    ),
    Case(
        "clahe_padded",
        "ContrastLimitedAdaptiveHistogramEqualization",
        PICTURES,
        {"tile_grid_size": (3, 4), "clip_limit": 1.5},
        tolerance=1e-3,
    ),
    Case(
        "clahe_bytes",
        "ContrastLimitedAdaptiveHistogramEqualization",
        BYTES,
        {"tile_grid_size": (2, 2)},
    ),
    Case(
        "clahe_first",
        "ContrastLimitedAdaptiveHistogramEqualization",
        PICTURES_FIRST,
        {"tile_grid_size": (2, 2), "data_format": "channels_first"},
        tolerance=1e-3,
    ),
    Case("solarization", "Solarization", PICTURES, call_kwargs=TRAINING),
    Case(
        "translation_bytes", "RandomTranslation", BYTES,
        {"height_factor": (0.2, 0.2), "width_factor": (0.3, 0.3), "dtype": "uint8"},
        call_kwargs=TRAINING,
    ),
    Case("invert", "RandomInvert", PICTURES, {"factor": (1.0, 1.0)}, call_kwargs=TRAINING),
    Case("grayscale", "RandomGrayscale", PICTURES, {"factor": 1.0}, call_kwargs=TRAINING),
    *(
        Case(f"posterization_{n}", "RandomPosterization", PICTURES, {"factor": (n, n)},
             call_kwargs=TRAINING)
        for n in (1, 4, 8)
    ),
    *(
        Case(f"degeneration_{n}", "RandomColorDegeneration", PICTURES, {"factor": (n / 10, n / 10)},
             call_kwargs=TRAINING, tolerance=1e-4)
        for n in (3, 10)
    ),
    *(
        Case(f"sharpness_{n}", "RandomSharpness", PICTURES, {"factor": (n / 100, n / 100)},
             call_kwargs=TRAINING, tolerance=1e-4)
        for n in (0, 25, 50, 100)
    ),
    *(
        Case(f"saturation_{n}", "RandomSaturation", PICTURES, {"factor": (n / 10, n / 10)},
             call_kwargs=TRAINING, tolerance=1e-3)
        for n in (0, 3, 5)
    ),
    Case(
        "hue_half", "RandomHue", PICTURES, {"factor": (1.0, 1.0)}, call_kwargs=TRAINING,
        tolerance=1e-2,
    ),
    Case(
        "blur", "RandomGaussianBlur", PICTURES,
        {"factor": (1.0, 1.0), "kernel_size": (3, 5), "sigma": (0.8, 0.8)},
        call_kwargs=TRAINING, tolerance=1e-4,
    ),
    Case(
        "jitter_contrast", "RandomColorJitter", PICTURES, {"saturation_factor": (0.3, 0.3)},
        call_kwargs=TRAINING, tolerance=1e-3,
    ),
    Case(
        "jitter_brightness", "RandomColorJitter", PICTURES, {"brightness_factor": (0.1, 0.1)},
        call_kwargs=TRAINING, tolerance=1e-4,
    ),
    Case(
        "blur_first", "RandomGaussianBlur", PICTURES_FIRST,
        {"factor": (1.0, 1.0), "sigma": (0.8, 0.8), "data_format": "channels_first"},
        call_kwargs=TRAINING, tolerance=1e-4,
    ),
)  # fmt: skip

MEL = {"fft_length": 64, "sequence_stride": 32, "num_mel_bins": 12, "sampling_rate": 8000}
SPECTROGRAMS = (
    Case("mel", "MelSpectrogram", SOUNDS, MEL, tolerance=1e-4),
    Case("mel_power", "MelSpectrogram", SOUNDS, {**MEL, "power_to_db": False}, tolerance=1e-4),
    Case(
        "mel_top", "MelSpectrogram", SOUNDS,
        {**MEL, "top_db": 10.0, "ref_power": 2.0, "mag_exp": 1.0}, tolerance=1e-4,
    ),
    Case(
        "mel_short_window", "MelSpectrogram", (X((400,)),),
        {**MEL, "sequence_length": 40, "min_freq": 100.0, "max_freq": 3000.0, "window": "hamming"},
        tolerance=1e-4,
    ),
    *(
        Case(f"stft_{mode}", "STFTSpectrogram", TRACKS, {"mode": mode, "frame_length": 32},
             tolerance=1e-4)
        for mode in ("log", "magnitude", "psd", "real", "imag", "stft")
    ),
    Case(
        "stft_expanded", "STFTSpectrogram", TRACKS,
        {"mode": "stft", "frame_length": 24, "frame_step": 10, "padding": "same",
         "expand_dims": True, "window": "hamming", "periodic": True}, tolerance=1e-4,
    ),
    Case(
        "stft_first", "STFTSpectrogram", (X((2, 2, 200)),),
        {"frame_length": 32, "scaling": "spectrum", "data_format": "channels_first"},
        tolerance=1e-4,
    ),
    Case(
        "stft_first_expanded", "STFTSpectrogram", (X((2, 2, 200)),),
        {"mode": "magnitude", "frame_length": 32, "fft_length": 64, "expand_dims": True,
         "scaling": None, "data_format": "channels_first"}, tolerance=1e-4,
    ),
    Case(
        "stft_no_window", "STFTSpectrogram", TRACKS,
        {"mode": "real", "frame_length": 32, "window": None}, tolerance=1e-4,
    ),
)  # fmt: skip

PREPROCESSING_CASES = HASHES + LOOKUPS + VALUES + SPECTROGRAMS

# Cases whose random numbers are those of the reference: (id, layer, arguments).
GIVEN_CASES = (
    ("mix_up", "MixUp", {}),
    ("cut_mix", "CutMix", {}),
    ("erasing", "RandomErasing", {"factor": (1.0, 1.0), "fill_value": 7.0}),
    ("shear", "RandomShear", {"x_factor": 0.4, "y_factor": 0.3}),
    ("shear_constant", "RandomShear", {"x_factor": 0.4, "fill_mode": "constant"}),
    ("perspective", "RandomPerspective", {"factor": (1.0, 1.0), "scale": 0.5}),
)
