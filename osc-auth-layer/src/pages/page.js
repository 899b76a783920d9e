for (const link of document.querySelectorAll('a[href*="return_to="]')) {
  const signin = new URL(link.href), page = signin.searchParams.get("return_to");
  const keep = () => {
    const target = page.includes("#") ? page : page + location.hash;
    signin.searchParams.set("return_to", target.length <= 2048 ? target : page);
    link.href = signin;
  };
  if (page) {
    keep();
    addEventListener("hashchange", keep);
  }
}
