import sys
import numpy as np, skia
from PIL import Image
from .pad import Pad
from . import head, eyes, mouth
from .person import MouthState

def compose(module, state=MouthState(), jaw=0.0, closure=0.0, cut=(0,0,512,512)):
    person = module.PERSON
    pad = Pad(0,0,512,512)
    module.draw_background(pad)
    module.draw_hair_back(pad)
    module.draw_torso(pad, under=True) if False else None
    head.draw_neck(pad, person)
    module.draw_torso(pad)
    if person.ear_height:
        for s in (-1,1): head.draw_ear(pad, person, s)
    head.draw_face(pad, person, jaw)
    module.draw_face_extras(pad)
    head.draw_brows(pad, person)
    for s in (-1,1):
        eyes_pad = Pad(0,0,512,512)
        with pad.inside(eyes.opening(person, s, closure)):
            pass
        lid = Pad(0,0,512,512)
        # skin under the lids
        head.draw_face(lid, person, jaw)
        eyes.draw_lids(lid, person, s, closure)
        box = skia.Path(); cx=256+s*person.eye_dx; box.addRect(skia.Rect.MakeLTRB(cx-36, person.eye_y-26, cx+36, person.eye_y+22))
        eyes.draw_ball(pad, person, s)
        eyes.draw_iris(pad, person, s)
        with pad.inside(box):
            img = lid.surface.makeImageSnapshot()
            pad.canvas.drawImageRect(img, skia.Rect.MakeWH(512,512), skia.SamplingOptions(skia.FilterMode.kLinear))
    if jaw==0: pass
    mouth_draw(pad, person, state)
    head.draw_brows(pad, person)
    module.draw_hair_front(pad)
    p = pad.picture()
    return (p[...,:3]*p[...,3:]*255+0.5).astype(np.uint8)

def mouth_draw(pad, person, state):
    mouth.draw_mouth(pad, person, state)

if __name__ == "__main__":
    import importlib
    m = importlib.import_module("studio."+sys.argv[1])
    img = compose(m)
    Image.fromarray(img).resize((1024,1024), Image.LANCZOS).save(f"/tmp/{sys.argv[1]}.png")
    if len(sys.argv)>2:
        states = [("rest",MouthState()),("open",MouthState(gap=1)),("mid",MouthState(gap=.4)),("slit",MouthState(gap=.12)),("wide",MouthState(gap=.35,wide=1)),("ee",MouthState(gap=.15,wide=1)),("o",MouthState(gap=.6,wide=-1)),("u",MouthState(gap=.2,wide=-1)),("press",MouthState(press=1)),("f",MouthState(bite=1)),("l",MouthState(tongue=1)),("spread",MouthState(wide=1))]
        tiles=[]
        for n,s in states:
            im = compose(m, s, jaw=s.gap*0.9)
            tiles.append(np.array(Image.fromarray(im[215:400,150:362]).resize((424,370),Image.LANCZOS)))
        rows=[np.concatenate(tiles[i:i+4],1) for i in range(0,12,4)]
        Image.fromarray(np.concatenate(rows)).save(f"/tmp/{sys.argv[1]}_mouths.png")
