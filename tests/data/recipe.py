import numpy as np
features = np.arange(12, dtype=np.float32).reshape(3, 4)
labels = np.array([0, 1, 1], dtype=np.int64)
sample_ids = np.array(["train-001", "train-002", "train-003"])
np.savez_compressed("model-batch.npz", features=features, labels=labels, sample_ids=sample_ids)
with np.load("model-batch.npz") as data:
    print("keys:", sorted(data.files))  # keys: ['features', 'labels', 'sample_ids']
    print("features shape:", data["features"].shape)  # features shape: (3, 4)
    print("features dtype:", data["features"].dtype)  # features dtype: float32
    print("labels:", data["labels"].tolist())  # labels: [0, 1, 1]
    print("sample ids:", data["sample_ids"].tolist())  # sample ids: ['train-001', 'train-002', 'train-003']
    print("features match:", np.array_equal(features, data["features"]))  # features match: True
    print("labels match:", np.array_equal(labels, data["labels"]))  # labels match: True
