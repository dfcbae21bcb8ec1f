/// Keys made for tests only, so that no test waits for key generation.
enum TestKeys {
    static let rsa = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEpAIBAAKCAQEA0/5pZZ1+TKR/vzutqbiBIcqyBep5oU200S71kBbpfx0Kw21l
        RWY4NfbAgqRK7M8ZQo+4mHnNuhbE3V7o5vFy0PXv4usdBL4AyJ//v4AhDUYveJ43
        KxKQthv1brsLh7lcAD2otzTfC8anqWSEzoXzPHvJ9BudxSks0d5nAYMck0BwkyTB
        qUGpTaCYtjd1gBIaYhqyjymFNTRY1eAiFsI/ymPu9g8HdugjKMyXKvh1WgX0DPZd
        XRzcOG7fzd/zn9MflS3svUhSBsB94PFHz5fM08u7Mu3QZ0OJSdVt2mrQcB44vUnB
        lex5dDOhR0KTi2gML5hJ5Pll1gXrT/4yrHv0xQIDAQABAoIBADErj4Uw7jA3MGUp
        4aodwB/XHIsIO11pQWEKgA0Db3WbBhnVeBmMb8m+eaDjm/hIwc5hOPrut4Orz84b
        uzADvTKP9KvAhkrJCjP+fmqLvL7QMmcK5XdhVzzSB89+5Vn96YOpyYXy5rAby9wb
        kz02rvfuq2Up+aJXHkzwRZqBb2GMsuUr11/MNHUfxP6bKILc5jm/bWJSJ2saMtdw
        myIlpw3LsD9NqAsD0hnEmRzcGfNnDLESgBKVueo9pQheMmbCHRCDBX2QslEAQyey
        BN5py89CBttqp3b6hoQpjnoK4uPf3ODLQE2Evd4KeVMuO38i9zEz4wUqgm2JvrX/
        fH4DujECgYEA7wyVdUDR9ry+wJH3lPZUfAEX3/FjjysOc7Ed24XxnMmGRbpe0kf+
        qVjp96/LXY6fdteTKfHo95ZfrKs2WoiIwOQ8ynlxUR/eMW5S6KB+QPdIBZO35AnR
        EgaOWxY2Lx8wceOSG2nnUb3kyWSRJ4+mRaPjQfNwJHFADCyamzANyjUCgYEA4way
        YvGF4JzlBnpuoopuxUI+YB3hSDMe8d56F7v4W5Jt6Po+p2GML5QUGsoadymSkc2p
        vxt2cP9Igp0F6tbbBLOxq/MKau94wYVDYaxlZl8uJk7OVamxJAjGJqiUbKhRcYEx
        eRmkL1uHG6kexOuRoz5bqcuxfNewz8d0EjMyUlECgYEAtOdVA9L2Ej9sK9dLAdQY
        w28gXj0TFvmCilLzQXnwCrMHhiUwNPp+4jGDfgnvYPHaA9nIaOnFX/jQlp9LFuBU
        fYU77A5Tjw0K3WWcIKe0Y/2+51mOxGgZbAbCHHSGtMppowaRP2W5xMZsKWyN3N58
        +h64kORlbW63BX+L0P1gsjECgYAs9BmEkBCTXl3XP40CsGiotKpHPANs2XqKKCSC
        6JyP/Vm4JT0cxasNjMPCXjyJVfkI1/GBvv1f+JyyCEewraSmtLI8ux5X+F0v7KRg
        BdP6RmSL/1TKD5Tc7sPVydHCBj5CPHPAZ/xjyDrjlkRad87ZxTI/V+8oKkl/ix4H
        sI2JUQKBgQCsQmX4sXlrbx3bqmr/VRVBLIHng6UsVvrOJgX/FZGCTbtolHm4maQ6
        J1bdOPYrepbfzxtIsbono8CsDxHjV8ZQKKU+xmwEesGzfgnGp3QIAKREhyjs0Nlw
        vllK8ZeQEPICxVQwu0EOyIw7Ye3G/31DBfpphQSpP5WSHZI9M7Wxtg==
        -----END RSA PRIVATE KEY-----
        """
    static let otherRSA = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEogIBAAKCAQEAtpVPVMdgjq9loRtlTdG6G/ZdQqD7jsnDOTpAXyzlzgftHYxY
        T+FoRJnCycCdSqjufdcDInlsO4bykVpY5UKrWOUiyZmZYtqO7YfErXuQaaKMyWu+
        7LwfJmMtYJbypEjIqipf4wjCLyDxKTo9AxwqiPsNvhm6JILivJTEyZ9vRLMkrFkA
        6+dHjqqP06ec/KMlt38F+3UsRjhjBBtO0XMr9LCawTTZi0Gi8QstZGciySgz/RHB
        zBswbQFwz107UjZ80YLzT75pxBjrnS5yBDERZskiwIJzcj3c/DNBjRTigjj/aQek
        80fvLVS+PNaxnTNC4oj3AiT5Qhk1r1mhEFhsJQIDAQABAoIBAFAH4XaZUBcrBaKZ
        Jg32xJuWISnf83QSt0ph4K53OSHWspY1ms4k0PXk6g9SKP/9TVCGix60136+N5wD
        3JxdXUsBYP66H5RHlcfDL7AVTecns4tkeZM+IG9MoKrKb4AYUTDZkx8qiydqSpsW
        JoEy+ugBF3SAxWlUn7smgJ2aD4UuPGrhxL2jfo9MOv74zRlscmroon8fTfpTPhCN
        w2irzC0mz0zWugbNlPgT6yjBxlebf9exE/T0ESkupDKAi6TXIvfwgQT7b9neZYdh
        hrUp7txKSM1o1McjamWJtjfiE9KHb5TRV3fnt4PKB9WFI7gIqcc77Ti40cQVFHp4
        PTfsEC8CgYEA8DVZelqsl0vG074yTD1MNckfm6pczIBiVCgpK+n3DhD1ro2AzTsv
        CuQer4UwNs8ZaEDmE0QxpfYnd9LMvyL5DByG4yVBsxB28tv2eeR9TnRhFLHUwkum
        GFH+vUFBlKZs00x/lN1n8adIU4bjxghayUhpbg650mu/RzU9j29MkdsCgYEAwpYk
        hElohzdWaC73FN4/ymoZ8g1QqwISh2ZTw3vIDdulvp4d62N0V9zvh0fy9xqgc9Q5
        TUcqIsVPrI8kCJ+7xfR4qVf7PzmkxDNM5uDNec6hIhI19CF/hPS9tqn00sreGyHt
        nN+ozkYrZaO6tBrfhpm/P+fEKCA8C7zmf9Z6Wf8CgYB8z+u3ZMgLMUeVnF08OhmQ
        VPoEg4gGhqsQ+XEzLTW+7FcMJOCJQzhVW2UKZJVB1WhpQFeMKUH27ylg3Hqg0kY/
        4c7A1goGRgbYeCzg9zWY/2W2QBTCBFbAilJn+jFeUP9452Xfbw/kg7xUEmHl809h
        CSwnEKXDTVMtZ9+d2QIbQwKBgAKCRxRBkgx0RTPwrxTgzLfCaHU7gLfDvhNq2Vei
        5/BtzZRIm6AmVyCu45O99L8E4966dMavTTbHjoBuFAvca2JhBZFBZibpiltRQgOU
        EHIqnN9Altt/9xHyyeNqC5MQNI7rABJOu/F07ChSVRzvX8RvhQzA40GVMNEB7YLm
        dAtnAoGAUqvF5o3JHbwcvN3FowxFYX/mQZMoN4U+HU/FzDXilpAqd2XekXSPZk7a
        dgasmlbyUy8iEVVBrFLrJkXt04UKGKgFK/ZBE9y5dlD5bqOekiaPg5QFNsRWVSTK
        +RLAbfu2Cji2ZLKgbQ4OYlsxP9s0kVMA0aeHSxYNsTt37CUOJWk=
        -----END RSA PRIVATE KEY-----
        """
}
