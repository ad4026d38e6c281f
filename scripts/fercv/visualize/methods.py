"""The methods of saliency by the names that the configuration has for them, without Keras."""

METHODS = {
    "gradient": "Gradient",
    "smooth_grad": "SmoothGrad",
    "integrated_gradients": "Integrated gradients",
    "grad_cam": "Grad-CAM",
}
