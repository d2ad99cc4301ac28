//! The lazy document of the first prototype, as it was measured then: a target, not a library.
//! lazy JSON document: expands only along asked paths; untouched spans are copied verbatim.
pub struct Doc { src: Vec<u8>, root: Node }
enum Node { Raw(u32,u32), New(Vec<u8>), Obj(Vec<(Key,Node)>) }
enum Key { Raw(u32,u32), New(String) }
fn ws(s:&[u8], mut i:usize)->usize{ while i<s.len() && matches!(s[i],b' '|b'\t'|b'\n'|b'\r'){i+=1} i }
/// i at opening quote; returns index after closing quote
fn skip_str(s:&[u8], mut i:usize)->Option<usize>{ i+=1; loop{ let k=memchr::memchr2(b'"',b'\\',&s[i..])?; i+=k; if s[i]==b'"'{return Some(i+1)} i+=2; if i>s.len(){return None} } }
fn skip(s:&[u8], i:usize)->Option<usize>{ match *s.get(i)?{ b'"'=>skip_str(s,i), b'{'|b'['=>{ let mut d=0usize; let mut i=i; loop{ match *s.get(i)?{ b'"'=>{i=skip_str(s,i)?;continue}, b'{'|b'['=>d+=1, b'}'|b']'=>{d-=1; if d==0{return Some(i+1)}}, _=>{} } i+=1 } }, _=>{ let mut i=i; while i<s.len() && !matches!(s[i],b','|b'}'|b']'|b' '|b'\n'|b'\t'|b'\r'){i+=1} Some(i) } } }
fn expand(s:&[u8],a:usize)->Option<Vec<(Key,Node)>>{ let mut v=Vec::with_capacity(16); let mut i=ws(s,a+1); if s[i]==b'}'{return Some(v)} loop{ if s[i]!=b'"'{return None} let e=skip_str(s,i)?; let k=Key::Raw(i as u32+1,e as u32-1); i=ws(s,e); if s[i]!=b':'{return None} i=ws(s,i+1); let e=skip(s,i)?; v.push((k,Node::Raw(i as u32,e as u32))); i=ws(s,e); match s[i]{b','=>i=ws(s,i+1),b'}'=>return Some(v),_=>return None} } }
impl Doc{
 pub fn new(src:Vec<u8>)->Option<Doc>{ let a=ws(&src,0); let e=skip(&src,a)?; let root=if src[a]==b'{'{Node::Obj(expand(&src,a)?)}else{Node::Raw(a as u32,e as u32)}; Some(Doc{src,root}) }
 fn find<'a>(src:&[u8], mut n:&'a mut Node, path:&str)->Option<(&'a mut Vec<(Key,Node)>,usize)>{ let mut parts=path.split('.').peekable(); while let Some(p)=parts.next(){ if let Node::Raw(a,_)=n { if src[*a as usize]==b'{'{ *n=Node::Obj(expand(src,*a as usize)?) } else {return None} } let Node::Obj(v)=n else {return None}; let k=v.iter().position(|(k,_)|match k{Key::Raw(a,b)=>&src[*a as usize..*b as usize]==p.as_bytes(),Key::New(s)=>s==p})?; if parts.peek().is_none(){return Some((v,k))} n=&mut v[k].1; } None }
 pub fn raw(&mut self,path:&str)->Option<&[u8]>{ let (v,k)=Self::find(&self.src,&mut self.root,path)?; match &v[k].1{Node::Raw(a,b)=>Some(&self.src[*a as usize..*b as usize]),Node::New(x)=>Some(x),Node::Obj(_)=>None} }
 pub fn has(&mut self,path:&str)->bool{Self::find(&self.src,&mut self.root,path).is_some()}
 pub fn set(&mut self,path:&str,val:Vec<u8>){ if let Some((v,k))=Self::find(&self.src,&mut self.root,path){v[k].1=Node::New(val);return} let Node::Obj(v)=&mut self.root else{return}; v.push((Key::New(path.into()),Node::New(val))) }
 pub fn remove(&mut self,path:&str)->bool{ if let Some((v,k))=Self::find(&self.src,&mut self.root,path){v.remove(k);true}else{false} }
 pub fn write(&self,o:&mut Vec<u8>){ self.w(&self.root,o) }
 fn w(&self,n:&Node,o:&mut Vec<u8>){ match n{Node::Raw(a,b)=>o.extend_from_slice(&self.src[*a as usize..*b as usize]),Node::New(x)=>o.extend_from_slice(x),Node::Obj(v)=>{ o.push(b'{'); for (i,(k,n)) in v.iter().enumerate(){ if i>0{o.push(b',')} o.push(b'"'); match k{Key::Raw(a,b)=>o.extend_from_slice(&self.src[*a as usize..*b as usize]),Key::New(s)=>o.extend_from_slice(s.as_bytes())} o.extend_from_slice(b"\":"); self.w(n,o)} o.push(b'}') } } }
}
pub fn unescape(raw:&[u8])->Option<String>{ if raw.first()!=Some(&b'"'){return None} let inner=&raw[1..raw.len()-1]; if memchr::memchr(b'\\',inner).is_none(){ return String::from_utf8(inner.to_vec()).ok() } serde_json::from_slice(raw).ok() }
pub fn escape(s:&str)->Vec<u8>{ let mut v=Vec::with_capacity(s.len()+2); if s.bytes().all(|b|b>=0x20&&b!=b'"'&&b!=b'\\'){ v.push(b'"'); v.extend_from_slice(s.as_bytes()); v.push(b'"'); v } else { serde_json::to_vec(s).unwrap() } }

pub struct Path(pub Vec<String>);
impl Doc{
 fn find_at<'a>(src:&[u8], mut n:&'a mut Node, path:&Path)->Option<(&'a mut Vec<(Key,Node)>,usize)>{ let last=path.0.len()-1; for (i,p) in path.0.iter().enumerate(){ if let Node::Raw(a,_)=n { if src[*a as usize]==b'{'{ *n=Node::Obj(expand(src,*a as usize)?) } else {return None} } let Node::Obj(v)=n else {return None}; let k=v.iter().position(|(k,_)|match k{Key::Raw(a,b)=>&src[*a as usize..*b as usize]==p.as_bytes(),Key::New(s)=>s==p})?; if i==last{return Some((v,k))} n=&mut v[k].1; } None }
 pub fn raw_at(&mut self,path:&Path)->Option<&[u8]>{ let (v,k)=Self::find_at(&self.src,&mut self.root,path)?; match &v[k].1{Node::Raw(a,b)=>Some(&self.src[*a as usize..*b as usize]),Node::New(x)=>Some(x),Node::Obj(_)=>None} }
 pub fn has_at(&mut self,path:&Path)->bool{Self::find_at(&self.src,&mut self.root,path).is_some()}
 pub fn set_at(&mut self,path:&Path,val:Vec<u8>){ if let Some((v,k))=Self::find_at(&self.src,&mut self.root,path){v[k].1=Node::New(val);return} let Node::Obj(v)=&mut self.root else{return}; v.push((Key::New(path.0[0].clone()),Node::New(val))) }
}
