"""What makes dogid's models: retraining a MobileNet on labelled photos and converting it to TFLite."""
