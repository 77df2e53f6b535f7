import torch


def score_map(picker, image):
    with torch.inference_mode():
        return picker.score_maps(torch.from_numpy(image)[None].to(picker.device))[0].cpu().numpy()
