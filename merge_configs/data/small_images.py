# Half the sides, a quarter of the time and memory, boxes only: for a first look at a data set, or for few classes.
load = dict(type='LoadImageFromFile')
resize = dict(type='Resize', scale=(667, 400), keep_ratio=True)
annotations = dict(type='LoadAnnotations', with_bbox=True)
pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))

train_dataloader = dict(
    dataset=dict(
        pipeline=[load, annotations, resize, dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]))
val_dataloader = dict(dataset=dict(pipeline=[load, resize, annotations, pack]))
test_dataloader = val_dataloader
del load, resize, annotations, pack
