# SPDX-License-Identifier: Apache-2.0
"""The three networks of the model, untrained. Their sizes are here and nowhere else; users read them from the configs."""

from typing import TYPE_CHECKING, Any

from pictures import SIDE
from settings import LATENT_SIDE, TOKENS, TRAINING_STEPS, VOCABULARY

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

NOISE: dict[str, Any] = {
    "num_train_timesteps": TRAINING_STEPS,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "v_prediction",
}
"""The noise schedule, as schedulers take it. Predicting v keeps few-step samples of so small a network clean."""

TEXT_WIDTH = 64


def new_vae() -> "AutoencoderKL":
    """Factor 4 where Stable Diffusion has 8: small shapes do not survive 8 x 8 latents."""
    from diffusers import AutoencoderKL

    channels = (8, 16, 32)
    return AutoencoderKL(
        sample_size=SIDE,
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=channels,
        layers_per_block=1,
        norm_num_groups=4,
        act_fn="silu",
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
    )


def new_unet() -> "UNet2DConditionModel":
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64, 64),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
        attention_head_dim=2,  # the number of heads, under the name that Stable Diffusion 1.x gives it
    )


def new_text_encoder() -> "CLIPTextModel":
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=TEXT_WIDTH,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            hidden_act="quick_gelu",
            projection_dim=TEXT_WIDTH,
            bos_token_id=VOCABULARY - 2,
            eos_token_id=VOCABULARY - 1,
            pad_token_id=VOCABULARY - 1,
        )
    )
