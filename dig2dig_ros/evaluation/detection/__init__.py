"""What a detector makes of fused images, measured against labels."""
