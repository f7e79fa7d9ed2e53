# What `-> stream` in a schema refers to. The ids are those of Cap'n Proto's own file of this name, so that a compiler
# that finds that one makes the same of it.

@0x86c366a91393f3f8;

struct StreamResult @0x995f9a3377c0b16e {}
