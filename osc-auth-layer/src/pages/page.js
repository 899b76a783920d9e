
{
  const link = document.querySelector("a.button"), signin = new URL(link.href), page = signin.searchParams.get("return_to");
  (window.onhashchange = () => {
    const target = page.includes("#") ? page : page + location.hash;
    signin.searchParams.set("return_to", target.length <= 2048 ? target : page);
    link.href = signin;
  })();
}
