# COCO straight below a bucket's prefix (annotations/, train2017/, val2017/), where the zoo has it in data/coco/; boxes and masks.
train_dataloader = dict(dataset=dict(data_root=''))
val_dataloader = dict(dataset=dict(data_root=''))
test_dataloader = dict(dataset=dict(data_root=''))
val_evaluator = dict(ann_file='annotations/instances_val2017.json')
test_evaluator = val_evaluator
